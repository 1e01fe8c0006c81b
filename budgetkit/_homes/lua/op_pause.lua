-- Keeps a call reserved that waits for a person; its clock stands still.

local path, id, attempt, label, lease = string.match(REQUEST,
  '^{"op":"pause","path":(%[.-%]),"id":("[^"]*"),"attempt":(%d+),"label":("[^"]*"),"lease":(%d+)}$')

local early = enter({})
if early then return early end
local call, new = find_call(path, id, attempt, label)

local function reply(doc)
  return '{"call":' .. doc .. '}'
end

if call.state == 'open' and not call.paused then
  run_clocks(chain[DEPTH], false, stop_watch, NOW)
  call.paused = true
  expire(call, NOW + lease)
  return journaled(reply(write_call(call)))
end
if not new then return done(reply(call_doc(call))) end
list(call, ':released')
return journaled(reply(write_call(call)))
