-- Writes a root down. KEYS: the store, its roots. ARGV: the name of the store as this client knows it, the root, if any.
-- Returns whether it is still that store: one that was lost must not look like one that has not begun.

if redis.call('HGET', KEYS[1], 'name') ~= ARGV[1] then return 0 end
if ARGV[2] then redis.call('SADD', KEYS[2], ARGV[2]) end
return 1
