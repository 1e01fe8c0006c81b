-- Calls: their records, how they are booked, and what becomes of those that nobody settled in time.
--
-- A record is a line for the scripts (account, serial number, time left) and a line for the world: the call as JSON.

local RECORD = '^(%x+) (%d+) (%S+)\n{"path":(%[.-%]),"id":("[^"]*"),"attempt":(%d+),"label":("[^"]*"),'
  .. '"asked":({.-}),"spend":(.-),"overshoot":{(.-)},"expires":(%d+),"state":"(%a+)",'
  .. '"paused":(%a+),"presence":(%a+)}$'
local SPEND = '^{"units":{(.-)},"estimated":%[(.-)%],"unmeasured":%[(.-)%]}$'

local function new_spend(units, estimated, unmeasured)
  local names, of = amounts(units)
  return {names = names, of = of, units = units, estimated = estimated, unmeasured = unmeasured}
end

local function spend_from(doc)
  return new_spend(string.match(doc, SPEND))
end

local function spend_doc(spend)
  return '{"units":{' .. spend.units .. '},"estimated":[' .. spend.estimated .. '],"unmeasured":['
    .. spend.unmeasured .. ']}'
end

local NOTHING = new_spend('', '', '')

local function read_call(key)
  local record = redis.call('GET', key)
  if not record then return nil end
  local call = {key = key}
  local asked, spend, expires, paused, presence
  call.account, call.serial, call.left, call.path, call.id, call.attempt, call.label, asked, spend, call.overshoot,
    expires, call.state, paused, presence = string.match(record, RECORD)
  call.asked = spend_from(asked)
  call.spend = spend ~= 'null' and spend_from(spend) or nil
  call.expires, call.paused, call.presence = expires + 0, paused == 'true', presence == 'true'
  return call
end

local function call_doc(call)
  return '{"path":' .. call.path .. ',"id":' .. call.id .. ',"attempt":' .. call.attempt .. ',"label":' .. call.label
    .. ',"asked":' .. spend_doc(call.asked) .. ',"spend":' .. (call.spend and spend_doc(call.spend) or 'null')
    .. ',"overshoot":{' .. call.overshoot .. '},"expires":' .. text(call.expires) .. ',"state":"' .. call.state
    .. '","paused":' .. tostring(call.paused) .. ',"presence":' .. tostring(call.presence) .. '}'
end

-- Returns the JSON that was written.
local function write_call(call)
  local doc = call_doc(call)
  redis.call('SET', call.key, call.account .. ' ' .. call.serial .. ' ' .. call.left .. '\n' .. doc)
  return doc
end

local function new_call(key, path, id, attempt, label, asked)
  return {
    key = key, account = string.sub(chain[DEPTH].key, #ACCOUNT + 1), serial = '0', left = 'null', path = path, id = id,
    attempt = attempt, label = label, asked = asked, overshoot = '', expires = 0, state = 'open', paused = false,
    presence = false,
  }
end

-- What is in flight is found by when it expires, and within one microsecond by when it began.
local function member(call)
  return string.format('%016d', call.serial) .. string.sub(call.key, #TREE + 1)
end

local function expire(call, at)
  call.expires = at
  redis.call('ZADD', TREE .. ':due', text(at), member(call))
end

local function begin(node, call, expires)
  local root = chain[1]
  root.serial = (root.serial or 0) + 1
  put(root, 'serial', text(root.serial))
  call.serial = text(root.serial)
  run_clocks(node, call.presence, start_watch, NOW)
  expire(call, expires)
end

local function leave(node, call, at)
  redis.call('ZREM', TREE .. ':due', member(call))
  if not call.paused then run_clocks(node, call.presence, stop_watch, at) end
end

-- Where a call is listed: the id and attempt, which find its record.
local function list(call, where)
  local digest = string.match(call.key, ':call:(%x+)')
  redis.call('RPUSH', TREE .. where, digest .. ':' .. call.attempt)
end

local function read_listed(entry)
  local digest, attempt = string.match(entry, '^(%x+):(%d+)$')
  local call = read_call(TREE .. ':call:' .. digest)
  if call and call.attempt == attempt then return call end
  return read_call(TREE .. ':call:' .. entry)
end

-- What was not measured is kept at what was reserved; what was not reserved either stays unmeasured.
local function estimate(asked, spend)
  if not spend then return new_spend(asked.units, quoted(asked.names), '') end
  if spend.unmeasured == '' then return spend end
  local found, unknown = new_spend(spend.units, '', ''), {}
  local estimated, is_estimated = listed(spend.estimated), {}
  for _, name in ipairs(estimated) do is_estimated[name] = true end
  for _, name in ipairs(listed(spend.unmeasured)) do
    if asked.of[name] then
      if not found.of[name] then found.names[#found.names + 1] = name end
      found.of[name] = larger(asked.of[name], found.of[name] or 0)
      if not is_estimated[name] then estimated[#estimated + 1] = name end
    else
      unknown[#unknown + 1] = name
    end
  end
  found.units = units_of(found.names, found.of)
  found.estimated, found.unmeasured = quoted(estimated), quoted(unknown)
  return found
end

-- Remember, up to the root, which resources hold an estimate or are a lower bound; -1 forgets one.
local function mark(node, spend, by)
  for kind, names in pairs({['estimated:'] = spend.estimated, ['unmeasured:'] = spend.unmeasured}) do
    for _, name in ipairs(names == '' and {} or listed(names)) do
      local at = node
      while at do
        redis.call('HINCRBY', at.key, kind .. name, by)
        at = at.parent
      end
    end
  end
end

local function overs(node, name)
  local found = {}
  while node do
    found[#found + 1] = over(cell(node, name))
    node = node.parent
  end
  return found
end

-- By how much an account went further over its limit than it was, at most.
local function grown(before, after)
  local most = 0
  for i, was in ipairs(before) do most = larger(most, sub(after[i], was)) end
  return most
end

-- Replaces what is held of one resource by what it cost; returns by how much that broke a limit.
local function book_one(node, name, held, counted, used, at)
  local more = sub(used, held)
  local rises = less(0, more)
  local before = rises and overs(node, name)
  if more ~= 0 then hold(node, name, more) end
  local spent, payer = sub(used, counted), node
  while payer do
    count_spent(payer, name, spent, at)
    payer = payer.parent
  end
  return rises and grown(before, overs(node, name)) or 0
end

-- Replaces what the books hold for the call by what it cost at `at`, on every account, and names the overshoot. A call
-- that was booked before (it lapsed, or was taken back) is booked anew.
local function book(node, call, spend, at)
  local was = call.spend or call.asked
  local beyond, names = {}, {}
  for _, name in ipairs(spend.names) do
    if name ~= 'seconds' then
      local held = was.of[name] or 0
      beyond[name] = book_one(node, name, held, call.spend and held or 0, spend.of[name], at)
      if beyond[name] ~= 0 then names[#names + 1] = name end
    end
  end
  for _, name in ipairs(was.names) do
    if name ~= 'seconds' and not spend.of[name] then
      book_one(node, name, was.of[name], call.spend and was.of[name] or 0, 0, at)
    end
  end
  if call.spend then mark(node, call.spend, -1) end
  mark(node, spend, 1)
  call.overshoot = units_of(names, beyond)
  call.spend = spend
end

-- A call is over: booked, and in its place among the settled. Returns its JSON.
local function finish(node, call, spend, at, state)
  leave(node, call, at)
  book(node, call, estimate(call.asked, spend), at)
  call.state = state
  list(call, state == 'released' and ':released' or ':settled')
  return write_call(call)
end

-- Settle a call in whatever state; one that is settled stays as it is. Returns its JSON, and whether it changed.
local function settle(node, call, spend)
  if call.state == 'settled' then return call_doc(call), false end
  if call.state == 'open' then return finish(node, call, spend, NOW, 'settled'), true end
  -- What lapsed was booked when it expired, and is corrected there.
  book(node, call, estimate(call.asked, spend), call.state == 'lapsed' and call.expires or NOW)
  if call.state == 'released' then list(call, ':settled') end
  call.state = 'settled'
  return write_call(call), true
end

-- A call that these books have not seen: nothing is set aside for it; what it costs is recorded all the same.
local function unreserved(key, path, id, attempt, label)
  local call = new_call(key, path, id, attempt, label, NOTHING)
  call.spend, call.state = NOTHING, 'released'
  return call
end

-- The record of this attempt at the call; a new one if there is none, and whether it is.
local function find_call(path, id, attempt, label)
  local key = KEYS[DEPTH + 1]
  local call = read_call(key)
  if not call then return unreserved(key, path, id, attempt, label), true end
  if call.attempt == attempt then return call, false end
  key = key .. ':' .. attempt
  call = read_call(key)
  return call or unreserved(key, path, id, attempt, label), not call
end

local function lapse(call)
  local node = account_at(call.account)
  roll(node)
  if call.presence then
    leave(node, call, call.expires)
    redis.call('DEL', call.key)
  else
    finish(node, call, nil, call.expires, 'lapsed')
  end
end

local function read_due()
  local due = {}
  for i, entry in ipairs(redis.call('ZRANGEBYSCORE', TREE .. ':due', '-inf', text(NOW))) do
    due[i] = read_call(TREE .. string.sub(entry, 17))
  end
  return due
end

-- The beginning of every script: reads the accounts and brings them up to now. Returns a reply if that is all. The
-- account that is asked for is made by `create` if it is not there.
local function enter(names, create)
  local query = query_for(names)
  for i = 1, DEPTH do
    local node = read_account(KEYS[i], chain[i - 1], names, query)
    if i == 1 and node.version and node.version ~= VERSION then return '{"version":' .. node.version .. '}' end
    if not node.traits and create and i == DEPTH then create(node) end
    if not node.traits then return '{"missing":true}' end
    chain[i] = node
  end
  local due, ended = read_due(), {}
  for _, call in ipairs(due) do find_ended(account_at(call.account), ended) end
  find_ended(chain[DEPTH], ended)
  if #ended > 0 then return '{"roll":[' .. table.concat(ended, ',') .. '],"now":' .. text(NOW) .. '}' end
  for _, call in ipairs(due) do lapse(call) end
  roll(chain[DEPTH])
  return nil
end
