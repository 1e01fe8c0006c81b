-- The accounts of one tree, as a script sees them: read once, changed in memory, written back at the end.
--
-- KEYS: the accounts from the root down to the one that is asked for, and after them the call, where there is one.
-- ARGV: the time ('' for the server's), the version of the schema, how many accounts, the windows that begin, the
-- request. All texts in it are JSON in which no string holds a raw quote, so that patterns can take it apart, and it
-- is put together again without a parser.

local VERSION, DEPTH, REQUEST = ARGV[2], ARGV[3] + 0, ARGV[5]
local TREE = string.match(KEYS[1], '^[^}]*}')
local ACCOUNT = TREE .. ':account:'

local function clock()
  if ARGV[1] ~= '' then return ARGV[1] + 0 end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local NOW = clock()
local chain = {}    -- the accounts of KEYS
local by_key = {}   -- every account that was read
local loaded = {}   -- the same, in order

-- What is written like "usd":"12","llm_calls":"1" or "usd","llm_calls".

local function amount(digits)
  if #digits > 28 then error('an amount has more digits than the books hold: ' .. digits) end
  return num(digits)
end

local function amounts(units)
  local names, of = {}, {}
  for name, digits in string.gmatch(units, '"([^"]*)":"(%d+)"') do
    names[#names + 1] = name
    of[name] = amount(digits)
  end
  return names, of
end

local function units_of(names, of)
  local units = {}
  for i, name in ipairs(names) do units[i] = '"' .. name .. '":"' .. text(of[name]) .. '"' end
  return table.concat(units, ',')
end

local function listed(names)
  local found = {}
  for name in string.gmatch(names, '"([^"]*)"') do found[#found + 1] = name end
  return found
end

local function quoted(names)
  if #names == 0 then return '' end
  return '"' .. table.concat(names, '","') .. '"'
end

-- Cells: what is held (spent or reserved) of one resource, and what is spent.

local function new_cell(node, name, limit, held, spent)
  held, spent = held and num(held) or 0, spent and num(spent) or 0
  local cell = {
    limit = limit and num(limit), held = held, spent = spent, held_before = held, spent_before = spent,
    prepaid = node.shares ~= nil and node.shares[name],
  }
  node.cells[name] = cell
  return cell
end

local function cell(node, name)
  local found = node.cells[name]
  if found then return found end
  local row = redis.call('HMGET', node.key, 'limit:' .. name, 'held:' .. name, 'spent:' .. name)
  return new_cell(node, name, row[1], row[2], row[3])
end

local function free(of)
  return larger(0, sub(of.limit, of.held))
end

-- What the parent holds for a cell: the whole share where it was taken out.
local function claim(of)
  if of.prepaid then return larger(of.held, of.limit) end
  return of.held
end

local function over(of)
  if of.limit and less(of.limit, of.held) then return sub(of.held, of.limit) end
  return 0
end

-- Reading and writing.

local function read_traits(node)
  local row = redis.call('HMGET', node.key, 'watch', 'window', 'slice', 'start', 'end', 'shares')
  node.timed = string.find(node.traits, 'timed', 1, true) ~= nil
  node.frozen = string.find(node.traits, 'frozen', 1, true) ~= nil
  node.prepaid = string.find(node.traits, 'prepaid', 1, true) ~= nil
  node.watch_text = row[1]
  if row[2] then
    node.window, node.slice, node.start, node.stop = row[2], row[3] + 0, row[4] + 0, row[5] + 0
  end
  if row[6] and row[6] ~= '' then
    node.shares = {}
    for _, name in ipairs(listed(row[6])) do node.shares[name] = true end
  end
end

-- A trait is what makes an account other than the plain most: timed, prepaid, frozen, window.
local function read_account(key, parent, names, query)
  query[2] = key
  local row = redis.call(unpack(query))
  local node = {
    key = key, parent = parent, cells = {}, out = {}, traits = row[1], kept = row[2], version = row[3],
    serial = row[4],
  }
  if not node.traits then return node end
  if node.traits ~= '' then read_traits(node) end
  for i, name in ipairs(names) do new_cell(node, name, row[3 * i + 2], row[3 * i + 3], row[3 * i + 4]) end
  by_key[key] = node
  loaded[#loaded + 1] = node
  return node
end

local function query_for(names)
  local query = {'HMGET', '', 'traits', 'kept', 'version', 'serial'}
  for _, name in ipairs(names) do
    local n = #query
    query[n + 1], query[n + 2], query[n + 3] = 'limit:' .. name, 'held:' .. name, 'spent:' .. name
  end
  return query
end

-- An account beside the chain, for a call of another branch that lapses.
local function account_at(digest)
  local key = ACCOUNT .. digest
  if by_key[key] then return by_key[key] end
  local parent = redis.call('HGET', key, 'parent')
  return read_account(key, parent and account_at(parent), {}, query_for({}))
end

local function path_of(node)
  return node.path or redis.call('HGET', node.key, 'path')
end

local function put(node, field, value)
  local out = node.out
  out[#out + 1] = field
  out[#out + 1] = value
end

local function flush()
  for _, node in ipairs(loaded) do
    for name, of in pairs(node.cells) do
      if of.held ~= of.held_before then put(node, 'held:' .. name, text(of.held)) end
      if of.spent ~= of.spent_before then put(node, 'spent:' .. name, text(of.spent)) end
    end
    for i = 1, #node.out, 2000 do  -- a call takes so many arguments
      redis.call('HSET', node.key, unpack(node.out, i, math.min(i + 1999, #node.out)))
    end
  end
end

-- The end of every script.
local function done(reply)
  flush()
  return reply
end

-- The end of a script that changed something.
local function journaled(reply)
  redis.call('XADD', TREE .. ':journal', '*', 'at', text(NOW), 'request', REQUEST)
  return done(reply)
end

-- Reserve on the way up, or free; a prepaid account passes on only what goes beyond its share.
local function hold(node, name, amount)
  while node do
    local of = cell(node, name)
    local before = claim(of)
    of.held = add(of.held, amount)
    if of.prepaid then amount = sub(claim(of), before) end
    if amount == 0 then return end
    node = node.parent
  end
end

-- The answer reserve, per resource.
local function keeps(node)
  if not node.keeps then
    local _, of = amounts(node.kept)
    node.keeps = of
  end
  return node.keeps
end
