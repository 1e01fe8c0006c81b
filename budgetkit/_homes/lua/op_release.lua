-- Takes back a reservation whose call was certainly never sent.

local path, id, attempt, label = string.match(REQUEST,
  '^{"op":"release","path":(%[.-%]),"id":("[^"]*"),"attempt":(%d+),"label":("[^"]*")}$')

local early = enter({})
if early then return early end
local leaf = chain[DEPTH]
local call, new = find_call(path, id, attempt, label)

local function reply(doc)
  return '{"call":' .. doc .. '}'
end

if call.state == 'open' then return journaled(reply(finish(leaf, call, NOTHING, NOW, 'released'))) end
if call.state == 'lapsed' then return journaled(reply((settle(leaf, call, NOTHING)))) end
if not new then return done(reply(call_doc(call))) end
list(call, ':released')
return journaled(reply(write_call(call)))
