-- Gives an open call, or a presence, more time; one that is over or paused stays as it is.

local attempt, lease = string.match(REQUEST,
  '^{"op":"renew","path":%[.-%],"id":"[^"]*","attempt":(%d+),"label":"[^"]*","lease":(%d+),"presence":%a+}$')

local early = enter({})
if early then return early end
local call = read_call(KEYS[DEPTH + 1])
if not call or call.attempt ~= attempt or call.state ~= 'open' then return done('{}') end
if call.paused or call.expires >= NOW + lease then return done('{"expires":' .. text(call.expires) .. '}') end
expire(call, NOW + lease)
write_call(call)
return journaled('{"expires":' .. text(call.expires) .. '}')
