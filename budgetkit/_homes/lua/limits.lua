-- How the limits of an account change, and what its parent has to say to it.

-- Whether a cell's share is taken out of the parent.
local function set_prepaid(node, name, prepaid)
  cell(node, name).prepaid = prepaid
  node.shares = node.shares or {}
  node.shares[name] = prepaid or nil
end

local function put_shares(node)
  local names = {}
  for name in pairs(node.shares) do names[#names + 1] = name end
  put(node, 'shares', quoted(names))
end

-- Reads every cell that has a limit; returns their names in the order in which they were set.
local function limited(node)
  local names = {}
  for _, name in ipairs(listed(redis.call('HGET', node.key, 'limited') or '')) do
    if cell(node, name).limit then names[#names + 1] = name end
  end
  return names
end

local function put_limit(node, name, limit)
  cell(node, name).limit = limit
  if limit then put(node, 'limit:' .. name, text(limit)) else redis.call('HDEL', node.key, 'limit:' .. name) end
end

-- Takes the limits out of the parent; again after `close`, as far as they are not used up. Returns a refusal or nil,
-- and whether anything was taken.
local function take_share(node, names)
  local wanted, of = {}, {}
  for _, name in ipairs(names) do
    if name ~= 'seconds' and not cell(node, name).prepaid then
      wanted[#wanted + 1] = name
      of[name] = free(cell(node, name))
    end
  end
  if not node.prepaid then return nil, false end
  local refused = draw(wanted, of)
  if refused then return refused, false end
  for _, name in ipairs(wanted) do set_prepaid(node, name, true) end
  if #wanted > 0 then put_shares(node) end
  return nil, #wanted > 0
end
