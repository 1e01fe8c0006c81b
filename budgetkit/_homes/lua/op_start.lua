-- Lets the clocks of the account and its ancestors run, until `stop` or until the lease is over.

local path, id, lease = string.match(REQUEST, '^{"op":"start","path":(%[.-%]),"id":("[^"]*"),"lease":(%d+)}$')

local early = enter({})
if early then return early end
local call = read_call(KEYS[DEPTH + 1])
if call then return done('{"call":' .. call_doc(call) .. '}') end
call = new_call(KEYS[DEPTH + 1], path, id, '1', '""', NOTHING)
call.presence = true
begin(chain[DEPTH], call, NOW + lease)
return journaled('{"call":' .. write_call(call) .. '}')
