-- What a store is: made on first use. KEYS: the store. ARGV: the version of the schema, a name for a new store.

if string.format('%d', 2 ^ 52) ~= '4503599627370496' then return redis.error_reply('a 64-bit server is needed') end
redis.call('HSETNX', KEYS[1], 'name', ARGV[2])
redis.call('HSETNX', KEYS[1], 'version', ARGV[1])
local version = redis.call('HGET', KEYS[1], 'version')
if version + 0 < ARGV[1] + 0 then redis.call('HSET', KEYS[1], 'version', ARGV[1]) end
return {version, redis.call('HGET', KEYS[1], 'name')}
