-- Raises the limits that there are; the same id is applied once. A share grows at the parent's cost.

local id, wanted = string.match(REQUEST, '^{"op":"top_up","path":%[.-%],"id":("[^"]*"),"amounts":{(.-)}}$')
local names, of = amounts(wanted)

local early = enter(names)
if early then return early end
local leaf = chain[DEPTH]
local applied = TREE .. ':topups:' .. string.sub(leaf.key, #ACCOUNT + 1)
if redis.call('SISMEMBER', applied, id) == 1 then return done('{}') end

local shares, draws = {}, {}
for _, name in ipairs(names) do
  local old = cell(leaf, name)
  if old.limit and old.prepaid then
    shares[#shares + 1] = name
    draws[name] = sub(larger(0, sub(add(old.limit, of[name]), old.held)), free(old))
  end
end
local refused = draw(shares, draws)
if refused then return done(refused) end
for _, name in ipairs(names) do
  local limit = cell(leaf, name).limit
  if limit then put_limit(leaf, name, add(limit, of[name])) end
end
redis.call('SADD', applied, id)
return journaled('{}')
