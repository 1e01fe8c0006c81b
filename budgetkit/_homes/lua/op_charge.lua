-- Records spend that happened, whatever the limits say; the id of a reservation settles it.

local path, id, label, doc = string.match(REQUEST,
  '^{"op":"charge","path":(%[.-%]),"id":("[^"]*"),"label":("[^"]*"),"spend":(.+)}$')
local spend, changed = spend_from(doc), nil

local early = enter(spend.names)
if early then return early end
local key = KEYS[DEPTH + 1]
local call = read_call(key) or unreserved(key, path, id, '1', label)
doc, changed = settle(chain[DEPTH], call, spend)
if changed then return journaled('{"call":' .. doc .. '}') end
return done('{"call":' .. doc .. '}')
