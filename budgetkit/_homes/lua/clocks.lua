-- Time: the stopwatches of the accounts, and the windows in which a spend counts. All in microseconds.

local function watch_of(node)
  if not node.watch then
    local written = node.watch_text or redis.call('HGET', node.key, 'watch') or '0 0 0'
    local elapsed, since, users = string.match(written, '^(%d+) (%d+) (%d+)$')
    node.watch = {elapsed = elapsed + 0, since = since + 0, users = users + 0}
  end
  return node.watch
end

local function put_watch(node)
  local watch = node.watch
  put(node, 'watch', string.format('%d %d %d', watch.elapsed, watch.since, watch.users))
end

local function read_watch(node, at)
  local watch = watch_of(node)
  if watch.users == 0 then return watch.elapsed end
  return watch.elapsed + math.max(0, at - watch.since)
end

local function start_watch(node, at)
  local watch = watch_of(node)
  if watch.users == 0 then watch.since = at end
  watch.users = watch.users + 1
  put_watch(node)
end

local function stop_watch(node, at)
  local watch = watch_of(node)
  watch.elapsed = read_watch(node, at)
  watch.since = math.max(at, watch.since)
  watch.users = watch.users - 1
  put_watch(node)
end

-- A call runs the clocks of the accounts that limit time; a scope that is open, of all.
local function run_clocks(node, presence, move, at)
  while node do
    if presence or node.timed then move(node, at) end
    node = node.parent
  end
end

-- Windows. The calendar's boundaries come with the request, since a script knows no time zones.

local begun = {}
for digest, start, stop in string.gmatch(ARGV[4], '(%x+) (-?%d+) (-?%d+)') do
  begun[ACCOUNT .. digest] = {start = start + 0, stop = stop + 0}
end

-- Collects the accounts whose calendar window is over and whose next one was not sent.
local function find_ended(node, ended)
  while node do
    local next = begun[node.key]
    if node.window and node.slice == 0 and NOW >= node.stop and not node.rolled then
      if not (next and next.start <= NOW and NOW < next.stop) then
        ended[#ended + 1] = '[' .. path_of(node) .. ',"' .. node.window .. '"]'
      end
    end
    node = node.parent
  end
end

local function forget(node, name, amount)
  local of = cell(node, name)
  of.held, of.spent = sub(of.held, amount), sub(of.spent, amount)
end

local function slices_of(node)
  return TREE .. ':slices:' .. string.sub(node.key, #ACCOUNT + 1)
end

local function slide(node)
  local start = NOW - NOW % node.slice - 60 * node.slice
  if start <= node.start then return end
  node.start = start
  put(node, 'start', text(start))
  local slices = redis.call('HGETALL', slices_of(node))
  for i = 1, #slices, 2 do
    local at, name = string.match(slices[i], '^(%d+) (.*)$')
    if at + 0 < start then
      forget(node, name, num(slices[i + 1]))
      redis.call('HDEL', slices_of(node), slices[i])
    end
  end
end

local function turn_page(node)
  if NOW < node.stop then return end
  local next, fields = begun[node.key], redis.call('HGETALL', node.key)
  for i = 1, #fields, 2 do
    local name = string.match(fields[i], '^spent:(.*)$')
    if name then forget(node, name, cell(node, name).spent) end
  end
  if next.start ~= node.start then
    local watch = watch_of(node)
    watch.elapsed, watch.since = 0, math.max(next.start, watch.since)
    put_watch(node)
  end
  node.start, node.stop = next.start, next.stop
  put(node, 'start', text(node.start))
  put(node, 'end', text(node.stop))
end

-- Forget, here and above, what no longer counts.
local function roll(node)
  while node do
    if node.window and not node.rolled then
      node.rolled = true
      if node.slice > 0 then slide(node) else turn_page(node) end
    end
    node = node.parent
  end
end

-- Of what is held, this much was spent at `at`; in a window that is over by now, it is held no longer.
local function count_spent(node, name, amount, at)
  local of = cell(node, name)
  if node.window and at < node.start then
    of.held = sub(of.held, amount)
    return
  end
  of.spent = add(of.spent, amount)
  if node.window and node.slice > 0 then
    local slice = text(at - at % node.slice) .. ' ' .. name
    local before = redis.call('HGET', slices_of(node), slice)
    redis.call('HSET', slices_of(node), slice, text(add(before and num(before) or 0, amount)))
  end
end
