-- Who can pay: judged from the root down, so that the outermost account that cannot is the one that is named.

local function refusal(node, name, limit, spent, reserved, asked, frozen)
  return '{"refused":{"resource":"' .. name .. '","path":' .. path_of(node) .. ',"limit":"'
    .. text(limit) .. '","spent":"' .. text(spent) .. '","reserved":"' .. text(reserved) .. '","asked":"'
    .. text(asked) .. '","frozen":' .. tostring(frozen) .. '}}'
end

local function in_micro(millis)
  if type(millis) == 'number' and millis < 9e12 and millis > -9e12 then return millis * 1000 end
  return num(text(millis) .. '000')
end

-- What ordinary calls may use of the time, in microseconds.
local function allowed_time(node)
  return in_micro(sub(cell(node, 'seconds').limit, keeps(node).seconds or 0))
end

local function judge_time(node, asked)
  local used = read_watch(node, NOW)
  if less(allowed_time(node), add(used, larger(1, in_micro(asked)))) then
    local spent = math.floor(used / 1000)
    return refusal(node, 'seconds', cell(node, 'seconds').limit, spent, keeps(node).seconds or 0, asked, false)
  end
end

-- Microseconds until the nearest limit of time, as text; 'null' without one.
local function time_left()
  local least
  for _, node in ipairs(chain) do
    if node.timed then
      local left = sub(allowed_time(node), read_watch(node, NOW))
      if not least or less(left, least) then least = left end
    end
  end
  return least and text(least) or 'null'
end

-- The outermost account that must have room: the root, or the first on the way up that has paid already.
local function topmost(last, name)
  for i = last, 2, -1 do
    if cell(chain[i], name).prepaid then return i end
  end
  return 1
end

local function judge_cell(node, name, asked)
  local of = cell(node, name)
  if not of.limit then return nil end
  local kept = keeps(node)[name] or 0
  if less(sub(of.limit, kept), add(of.held, asked)) then
    return refusal(node, name, of.limit, of.spent, add(sub(of.held, of.spent), kept), asked, false)
  end
end

-- The refusal of the outermost of the first `last` accounts that cannot pay, or nil; the time counts if `timed`.
local function judge(last, names, of, timed)
  local top, refused = {}, nil
  for _, name in ipairs(names) do
    if name ~= 'seconds' then top[name] = topmost(last, name) end
  end
  for i = 1, last do
    local node = chain[i]
    if timed and node.timed then refused = judge_time(node, of.seconds or 0) end
    for _, name in ipairs(names) do
      if not refused and top[name] and i >= top[name] then refused = judge_cell(node, name, of[name]) end
    end
    if refused then return refused end
  end
  return nil
end

local function hold_all(node, names, of)
  for _, name in ipairs(names) do
    if name ~= 'seconds' then hold(node, name, of[name]) end
  end
end

-- Holds on the parent of the account that is asked for, and above, or returns the refusal.
local function draw(names, of)
  if DEPTH == 1 then return nil end
  local refused = judge(DEPTH - 1, names, of, false)
  if not refused then hold_all(chain[DEPTH - 1], names, of) end
  return refused
end
