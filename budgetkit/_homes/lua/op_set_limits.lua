-- Sets the limits that are named; null takes one away. A share grows or shrinks at the parent's cost.

local wanted = string.match(REQUEST, '^{"op":"set_limits","path":%[.-%],"limits":{(.-)}}$')
local names, limits = {}, {}
for name, digits in string.gmatch(wanted, '"([^"]*)":"?(%w+)"?') do
  names[#names + 1] = name
  limits[name] = digits ~= 'null' and amount(digits) or nil
end

local early = enter(names)
if early then return early end
local leaf = chain[DEPTH]

local function seconds_refused()
  for _, name in ipairs(names) do
    if name == 'seconds' and not (limits.seconds and cell(leaf, 'seconds').limit) then return true end
  end
  return false
end

-- What the parent would hold for a share with its new limit, less what it holds.
local function changes()
  local shares, change, more, growth = {}, {}, {}, {}
  for _, name in ipairs(names) do
    local of, limit = cell(leaf, name), limits[name]
    if of.prepaid then
      shares[#shares + 1] = name
      change[name] = sub(limit and larger(of.held, limit) or of.held, claim(of))
      if less(0, change[name]) then more[#more + 1], growth[name] = name, change[name] end
    end
  end
  return shares, change, more, growth
end

local function put_limited()
  local known, all = {}, listed(redis.call('HGET', leaf.key, 'limited') or '')
  for _, name in ipairs(all) do known[name] = true end
  for _, name in ipairs(names) do
    if not known[name] then all[#all + 1] = name end
  end
  put(leaf, 'limited', quoted(all))
end

if seconds_refused() then
  return done('{"seconds":' .. redis.call('HGET', leaf.key, 'path') .. '}')
end
local shares, change, more, growth = changes()
if DEPTH > 1 then
  local refused = judge(DEPTH - 1, more, growth, false)
  if refused then return done(refused) end
  hold_all(chain[DEPTH - 1], shares, change)
end
for _, name in ipairs(names) do
  if not limits[name] then set_prepaid(leaf, name, false) end
  put_limit(leaf, name, limits[name])
end
if leaf.shares then put_shares(leaf) end
put_limited()
return journaled('{}')
