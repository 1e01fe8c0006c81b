-- A page of the settled calls of the account and all below it, in the order of settling.
-- ARGV, besides: where in the list the page begins, and how long it is.

local early = enter({})
if early then return early end
local path = string.match(REQUEST, '^{"op":"charges","path":(%[.-%])}$')
local first, size = ARGV[6] + 0, ARGV[7] + 0

local function is_below(other)
  local after = string.sub(other, #path, #path)
  return string.sub(other, 1, #path - 1) == string.sub(path, 1, -2) and (after == ']' or after == ',')
end

local page, calls = redis.call('LRANGE', TREE .. ':settled', first, first + size - 1), {}
for _, entry in ipairs(page) do
  local call = read_listed(entry)
  if is_below(call.path) then calls[#calls + 1] = call_doc(call) end
end
return done('{"calls":[' .. table.concat(calls, ',') .. '],"next":' .. (#page == size and first + size or 'null') .. '}')
