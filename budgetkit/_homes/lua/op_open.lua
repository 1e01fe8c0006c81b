-- Makes an account under its parent, which must be open; an account that is there keeps its limits.
-- ARGV, besides: the account's own name, and the slice of a sliding window (0 for the calendar's).

local path, limits, keep, prepaid, window = string.match(REQUEST,
  '^{"op":"open","path":(%[.-%]),"limits":{(.-)},"keep":{(.-)},"prepaid":(%a+),"window":(.+)}$')
local names, of = amounts(limits)
local is_new = false

local function traits()
  local found = {}
  if of.seconds then found[#found + 1] = 'timed' end
  if prepaid == 'true' and DEPTH > 1 then found[#found + 1] = 'prepaid' end
  if window ~= 'null' then found[#found + 1] = 'window' end
  return table.concat(found, ' ')
end

-- In memory only: it is not written before its parent has paid.
local function create(node)
  is_new = true
  node.path, node.traits, node.kept = path, traits(), keep
  node.prepaid = prepaid == 'true' and DEPTH > 1
  for _, name in ipairs(names) do new_cell(node, name, text(of[name]), false, false) end
  if window ~= 'null' then
    node.window, node.slice, node.start, node.stop = string.sub(window, 2, -2), ARGV[7] + 0, 0, 0
  end
end

local function put_window(node)
  if not node.window then return end
  put(node, 'window', node.window)
  put(node, 'slice', text(node.slice))
  put(node, 'start', text(node.start))
  put(node, 'end', text(node.stop))
end

local function put_place(node)
  if DEPTH == 1 then return put(node, 'version', VERSION) end
  local parent = string.sub(node.parent.key, #ACCOUNT + 1)
  put(node, 'parent', parent)
  redis.call('HSET', TREE .. ':children:' .. parent, ARGV[6], string.sub(node.key, #ACCOUNT + 1))
end

local function put_account(node)
  loaded[#loaded + 1] = node
  put(node, 'path', path)
  put(node, 'traits', node.traits)
  put(node, 'kept', keep)
  put(node, 'limited', quoted(names))
  for _, name in ipairs(names) do put(node, 'limit:' .. name, text(of[name])) end
  put_window(node)
  put_place(node)
end

local early = enter({}, create)
if early then return early end
local leaf, refused, taken = chain[DEPTH], nil, false
if prepaid == 'true' then refused, taken = take_share(leaf, is_new and names or limited(leaf)) end
if refused then return done(refused) end
if is_new then put_account(leaf) end
if is_new or taken then return journaled('{}') end
return done('{}')
