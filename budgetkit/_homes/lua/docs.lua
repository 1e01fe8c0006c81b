-- Accounts as JSON, once everything is written.

local function parts(fields, prefix)
  local found = {}
  for field, value in pairs(fields) do
    local name = string.match(field, '^' .. prefix .. ':(.*)$')
    if name then found[name] = value end
  end
  return found
end

local function object(of, quote)
  local pairs_of = {}
  for name, value in pairs(of) do
    pairs_of[#pairs_of + 1] = '"' .. name .. '":' .. quote .. value .. quote
  end
  return '{' .. table.concat(pairs_of, ',') .. '}'
end

local function by_name(row)
  local fields = {}
  for i = 1, #row, 2 do fields[row[i]] = row[i + 1] end
  return fields
end

local function cells_doc(fields)
  local held, spent, shares, cells = parts(fields, 'held'), parts(fields, 'spent'), {}, {}
  for _, name in ipairs(listed(fields.shares or '')) do shares[name] = true end
  for _, of in ipairs({held, spent, parts(fields, 'limit')}) do
    for name in pairs(of) do
      cells[name] = '["' .. (held[name] or '0') .. '","' .. (spent[name] or '0') .. '",'
        .. tostring(shares[name] == true) .. ']'
    end
  end
  return object(cells, '')
end

local function slices_doc(digest)
  local slices = {}
  for field, amount in pairs(by_name(redis.call('HGETALL', TREE .. ':slices:' .. digest))) do
    local at, name = string.match(field, '^(%d+) (.*)$')
    slices[at] = slices[at] or {}
    slices[at][name] = amount
  end
  for at, of in pairs(slices) do slices[at] = object(of, '"') end
  return object(slices, '')
end

local function account_doc(digest)
  local fields = by_name(redis.call('HGETALL', ACCOUNT .. digest))
  local function trait(name) return tostring(string.find(fields.traits, name, 1, true) ~= nil) end
  return '{"path":' .. fields.path .. ',"limits":' .. object(parts(fields, 'limit'), '"') .. ',"kept":{' .. fields.kept
    .. '},"prepaid":' .. trait('prepaid') .. ',"frozen":' .. trait('frozen') .. ',"window":'
    .. (fields.window and '"' .. fields.window .. '"' or 'null') .. ',"start":' .. (fields.start or '0')
    .. ',"end":' .. (fields['end'] or '0') .. ',"slices":' .. slices_doc(digest) .. ',"watch":['
    .. string.gsub(fields.watch or '0 0 0', ' ', ',') .. '],"cells":' .. cells_doc(fields)
    .. ',"marks":{"estimated":' .. object(parts(fields, 'estimated'), '')
    .. ',"unmeasured":' .. object(parts(fields, 'unmeasured'), '') .. '}}'
end
