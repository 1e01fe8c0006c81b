-- Undoes `freeze`.

local early = enter({})
if early then return early end
local leaf = chain[DEPTH]
local traits = string.gsub(leaf.traits, ' ?frozen', '')
put(leaf, 'traits', traits)
return journaled('{}')
