-- The common case of `reserve` in one pass, in half the time: a new call, on accounts that only count, with nothing
-- that lapses, and room for it. In every other case it returns nil, nothing is written, and the script goes on.

local function reserve_plainly()
  local path, id, label, units, lease = string.match(ARGV[5],
    '^{"op":"reserve","path":(%[.-%]),"id":("[^"]*"),"label":("[^"]*"),"asked":{"units":{(.-)},"estimated":%[%],'
    .. '"unmeasured":%[%]},"keep":null,"final":false,"again":%a+,"lease":(%d+)}$')
  local depth = ARGV[3] + 0
  local call, tree = KEYS[depth + 1], string.match(KEYS[1], '^[^}]*}')
  local now = ARGV[1]
  if now == '' then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
  end
  now = string.format('%d', now)
  if not path or redis.call('ZRANGEBYSCORE', tree .. ':due', '-inf', now, 'LIMIT', 0, 1)[1] then return nil end

  local names, asked, query, n = {}, {}, {'HMGET', KEYS[1], 'traits', 'kept'}, 0
  for name, digits in string.gmatch(units, '"([^"]*)":"(%d+)"') do
    if #digits > 15 or name == 'seconds' then return nil end
    n = n + 1
    names[n], asked[n] = name, digits + 0
    query[2 * n + 3], query[2 * n + 4] = 'limit:' .. name, 'held:' .. name
  end

  local last = #query
  query[last + 1], query[last + 2] = 'version', 'serial'  -- which the root alone has

  local writes, serial = {}, nil
  for i = 1, depth do
    query[2] = KEYS[i]
    local row, write = redis.call(unpack(query)), {'HSET', KEYS[i]}
    if row[1] ~= '' then return nil end
    if i == 1 then
      if row[last - 1] ~= ARGV[2] then return nil end
      serial = string.format('%d', (row[last] or 0) + 1)
      write[3], write[4] = 'serial', serial
      query[last + 1], query[last + 2] = nil, nil
    end
    local kept, at = nil, #write
    if row[2] ~= '' then
      kept = {}
      for name, digits in string.gmatch(row[2], '"([^"]*)":"(%d+)"') do kept[name] = digits end
    end
    for j = 1, n do
      local limit, held, keep = row[2 * j + 1], row[2 * j + 2] or '0', kept and kept[names[j]] or '0'
      if #held > 15 or #keep > 15 then return nil end
      -- Doubles decide this right: a limit too large for them is far above all that got here.
      local sum = held + asked[j]
      if limit and sum > limit - keep then return nil end
      write[at + 2 * j - 1], write[at + 2 * j] = query[2 * j + 4], string.format('%d', sum)
    end
    writes[i] = write
  end

  local expires = string.format('%d', now + lease)
  local doc = '{"path":' .. path .. ',"id":' .. id .. ',"attempt":1,"label":' .. label .. ',"asked":{"units":{' .. units
    .. '},"estimated":[],"unmeasured":[]},"spend":null,"overshoot":{},"expires":' .. expires
    .. ',"state":"open","paused":false,"presence":false}'
  local record = string.match(KEYS[depth], '%x+$') .. ' ' .. serial .. ' null\n' .. doc
  if not redis.call('SET', call, record, 'NX') then return nil end  -- the id was used before
  for i = 1, depth do
    if writes[i][3] then redis.call(unpack(writes[i])) end
  end
  redis.call('ZADD', tree .. ':due', expires, string.format('%016d', serial) .. string.sub(call, #tree + 1))
  redis.call('XADD', tree .. ':journal', '*', 'at', now, 'request', ARGV[5])
  return '{"call":' .. doc .. ',"time_left":null,"fresh":true}'
end

local plainly = reserve_plainly()
if plainly then return plainly end
