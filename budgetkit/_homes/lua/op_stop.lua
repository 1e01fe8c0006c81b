-- Undoes one `start`; twice is once.

local early = enter({})
if early then return early end
local call = read_call(KEYS[DEPTH + 1])
if not call then return done('{}') end
leave(chain[DEPTH], call, NOW)
redis.call('DEL', call.key)
return journaled('{}')
