-- Gives back what a prepaid account did not use; from then on it draws on its parent.

local early = enter({})
if early then return early end
local leaf = chain[DEPTH]
if not leaf.shares then return done('{}') end
for name in pairs(leaf.shares) do
  local of = cell(leaf, name)
  hold(leaf.parent, name, sub(0, free(of)))
  of.prepaid = false
end
put(leaf, 'shares', '')
return journaled('{}')
