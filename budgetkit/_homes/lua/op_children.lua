-- The names of the accounts right below.

local early = enter({})
if early then return early end
local names = redis.call('HKEYS', TREE .. ':children:' .. string.sub(KEYS[DEPTH], #ACCOUNT + 1))
return done('{"children":[' .. table.concat(names, ',') .. ']}')
