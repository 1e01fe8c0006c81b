-- Sets the worst case of a call aside on every account from the root down, or on none.

local path, id, label, units, estimated, unmeasured, keep, final, again, lease = string.match(REQUEST,
  '^{"op":"reserve","path":(%[.-%]),"id":("[^"]*"),"label":("[^"]*"),"asked":{"units":{(.-)},"estimated":%[(.-)%],'
  .. '"unmeasured":%[(.-)%]},"keep":(.-),"final":(%a+),"again":(%a+),"lease":(%d+)}$')
local asked = new_spend(units, estimated, unmeasured)
local new_keep = keep ~= 'null' and select(2, amounts(keep)) or nil

local early = enter(asked.names)
if early then return early end
local leaf = chain[DEPTH]

local function reply(doc, left, fresh)
  return '{"call":' .. doc .. ',"time_left":' .. left .. ',"fresh":' .. tostring(fresh) .. '}'
end

local function judge_frozen(names, of, unknown)
  local name = names[1] or unknown[1]
  if not name then return nil end
  for _, node in ipairs(chain) do
    if node.frozen then
      local of_it = cell(node, name)
      local limit = of_it.limit and less(of_it.limit, of_it.held) and of_it.limit or of_it.held
      return refusal(node, name, limit, of_it.spent, sub(of_it.held, of_it.spent), of[name] or 0, true)
    end
  end
end

local function judge_unknown(unknown)
  for _, name in ipairs(unknown) do
    for _, node in ipairs(chain) do
      if cell(node, name).limit then
        return '{"unknown":{"resource":"' .. name .. '","path":' .. path_of(node) .. '}}'
      end
    end
  end
end

-- Holds it everywhere; returns the refusal, or nil and the time left.
local function admit(names, of, unknown)
  local refused = judge_frozen(names, of, unknown)
  if refused then return refused end
  local left = time_left()
  refused = judge_unknown(unknown) or judge(DEPTH, names, of, true)
  if not refused then hold_all(leaf, names, of) end
  return refused, left
end

-- Admits beside a new answer reserve, or out of the reserve; a refusal leaves the reserve as it was.
local function admit_beside(names, of, unknown)
  local before = keeps(leaf)
  local wanted = new_keep or before
  leaf.keeps = final == 'true' and {} or wanted
  local refused, left = admit(names, of, unknown)
  leaf.keeps = refused and before or wanted
  if not refused and new_keep then put(leaf, 'kept', string.sub(keep, 2, -2)) end
  return refused, left
end

-- What is asked beyond what the open call holds already.
local function beyond(held)
  local names, of = {}, {}
  for _, name in ipairs(asked.names) do
    local had = held.of[name] or 0
    if less(had, asked.of[name]) then
      names[#names + 1] = name
      of[name] = sub(asked.of[name], had)
    end
  end
  return names, of
end

local function grow(held, names, of)
  for _, name in ipairs(names) do
    if not held.of[name] then held.names[#held.names + 1] = name end
    held.of[name] = add(held.of[name] or 0, of[name])
  end
  held.units = units_of(held.names, held.of)
end

-- An open id is asked for again: hold what it asks beyond what is held, and renew the lease.
local function reenter(call)
  local names, of = beyond(call.asked)
  local refused, left = admit_beside(names, of, {})
  if refused then return done(refused) end
  call.left = left
  grow(call.asked, names, of)
  if call.paused then
    call.paused = false
    run_clocks(leaf, false, start_watch, NOW)
    expire(call, NOW + lease)
  else
    expire(call, math.max(call.expires, NOW + lease))
  end
  return journaled(reply(write_call(call), left, false))
end

-- The attempts before stay where they are found: under their number.
local function file_away(call)
  redis.call('RENAME', call.key, call.key .. ':' .. call.attempt)
  return text(call.attempt + 1)
end

local found = read_call(KEYS[DEPTH + 1])
if found and found.state == 'open' then return reenter(found) end
if found and again == 'false' and found.state ~= 'released' then
  return done(reply(call_doc(found), found.left, false))
end
local refused, left = admit_beside(asked.names, asked.of, listed(unmeasured))
if refused then return done(refused) end
local call = new_call(KEYS[DEPTH + 1], path, id, found and file_away(found) or '1', label, asked)
call.left = left
begin(leaf, call, NOW + lease)
return journaled(reply(write_call(call), left, true))
