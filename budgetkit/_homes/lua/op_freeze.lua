-- Admits nothing more on this account and below it; calls in flight can still be settled.

local early = enter({})
if early then return early end
local leaf = chain[DEPTH]
local traits = string.gsub(leaf.traits, ' ?frozen', '')
put(leaf, 'traits', traits .. ' frozen')
return journaled('{}')
