-- Brings a tree from version 1 of the schema to version 2, which has windows and freezing, and with them traits.
-- KEYS: the root.

local TREE = string.match(KEYS[1], '^[^}]*}')
local PREFIX = TREE .. ':account:'

local function add_traits(digest)
  local row = redis.call('HMGET', PREFIX .. digest, 'prepaid', 'limit:seconds')
  local traits = (row[2] and 'timed ' or '') .. (row[1] == '1' and 'prepaid' or '')
  redis.call('HSET', PREFIX .. digest, 'traits', traits)
  redis.call('HDEL', PREFIX .. digest, 'prepaid')
  for _, child in ipairs(redis.call('HVALS', TREE .. ':children:' .. digest)) do add_traits(child) end
end

if redis.call('HGET', KEYS[1], 'version') == '1' then
  add_traits(string.sub(KEYS[1], #PREFIX + 1))
  redis.call('HSET', KEYS[1], 'version', '2')
end
return redis.call('HGET', KEYS[1], 'version')
