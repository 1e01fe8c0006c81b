-- Whole numbers that stay exact. Lua has doubles only, exact up to 2^53; amounts go to 2^63, and their sums beyond.
--
-- A number below 9 * 10^15 is a plain Lua number. A larger one is a pair {high, low}: high * 10^14 + low, where
-- 0 <= low < 10^14 and high has the sign. Every number has exactly one form, so zero is always plain 0.

local BASE = 1e14
local PLAIN = 90 * BASE

local function split(n)
  if type(n) == 'table' then return n[1], n[2] end
  local high = math.floor(n / BASE)
  return high, n - high * BASE
end

local function joined(high, low)
  if high >= -90 and high < 90 and (high > -90 or low > 0) then return high * BASE + low end
  return {high, low}
end

local function add(a, b)
  if type(a) == 'number' and type(b) == 'number' then
    local sum = a + b
    if sum < PLAIN and sum > -PLAIN then return sum end
  end
  local high, low = split(a)
  local more_high, more_low = split(b)
  high, low = high + more_high, low + more_low
  if low >= BASE then high, low = high + 1, low - BASE end
  return joined(high, low)
end

local function sub(a, b)
  if type(b) == 'number' then return add(a, 0 - b) end
  local high, low = split(b)
  if low == 0 then return add(a, joined(-high, 0)) end
  return add(a, joined(-high - 1, BASE - low))
end

local function less(a, b)
  if type(a) == 'number' and type(b) == 'number' then return a < b end
  local high, low = split(a)
  local other_high, other_low = split(b)
  return high < other_high or (high == other_high and low < other_low)
end

local function larger(a, b)
  if less(a, b) then return b end
  return a
end

-- From decimal digits, and back.

local function num(text)
  if #text < 16 then return text + 0 end
  if string.sub(text, 1, 1) == '-' then return sub(0, num(string.sub(text, 2))) end
  return joined(string.sub(text, 1, -15) + 0, string.sub(text, -14) + 0)
end

local function text(n)
  if type(n) == 'number' then return string.format('%d', n) end
  if n[1] < 0 then return '-' .. text(sub(0, n)) end
  return string.format('%d%014d', n[1], n[2])
end
