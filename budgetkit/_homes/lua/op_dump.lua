-- Everything of one tree at one moment, but the journal: it only grows, so its end is enough to read it afterwards.

local early = enter({})
if early then return early end
flush()

local function accounts(digest, docs)
  docs[#docs + 1] = account_doc(digest)
  for _, child in ipairs(redis.call('HVALS', TREE .. ':children:' .. digest)) do accounts(child, docs) end
  return docs
end

local function calls()
  local docs, seen = {}, {}
  local function collect(call)
    if call.presence or seen[call.key] then return end
    seen[call.key] = true
    docs[#docs + 1] = call_doc(call)
  end
  for _, where in ipairs({':settled', ':released'}) do
    for _, entry in ipairs(redis.call('LRANGE', TREE .. where, 0, -1)) do collect(read_listed(entry)) end
  end
  for _, entry in ipairs(redis.call('ZRANGE', TREE .. ':due', 0, -1)) do
    collect(read_call(TREE .. string.sub(entry, 17)))
  end
  return docs
end

local last = redis.call('XREVRANGE', TREE .. ':journal', '+', '-', 'COUNT', 1)
return '{"accounts":[' .. table.concat(accounts(string.sub(KEYS[1], #ACCOUNT + 1), {}), ',') .. '],"calls":['
  .. table.concat(calls(), ',') .. '],"last":"' .. (last[1] and last[1][1] or '0-0') .. '","now":' .. text(NOW) .. '}'
