-- Replaces a reservation by what the call cost; twice is once.

local path, id, attempt, label, spend = string.match(REQUEST,
  '^{"op":"settle","path":(%[.-%]),"id":("[^"]*"),"attempt":(%d+),"label":("[^"]*"),"spend":(.+)}$')
spend = spend ~= 'null' and spend_from(spend) or nil

local early = enter(spend and spend.names or {})
if early then return early end
local call = find_call(path, id, attempt, label)
local doc, changed = settle(chain[DEPTH], call, spend)
if changed then return journaled('{"call":' .. doc .. '}') end
return done('{"call":' .. doc .. '}')
