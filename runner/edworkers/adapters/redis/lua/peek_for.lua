-- Looks for jobs that wait whose bytes have one of some texts in them: it may be the id of the job that is looked for.
-- KEYS: the list or sorted set   ARGV: first last most_bytes max_bytes cut, then the texts
-- Returns how many were looked at, then size and bytes of each that has one.
-- Atomic as one read of what is between two places.
local is_list = redis.call('TYPE', KEYS[1]).ok == 'list'
local first, last, bytes, out = tonumber(ARGV[1]), tonumber(ARGV[2]), 0, {0}

local function has_one(raw)
  for i = 6, #ARGV do
    if string.find(raw, ARGV[i], 1, true) then return true end
  end
end

while first <= last and bytes < tonumber(ARGV[3]) do
  local raws = redis.call(is_list and 'LRANGE' or 'ZRANGE', KEYS[1], first, math.min(first + 99, last))
  for _, raw in ipairs(raws) do
    bytes = bytes + #raw
    if has_one(raw) then
      out[#out + 1], out[#out + 2] = #raw, #raw > tonumber(ARGV[4]) and string.sub(raw, 1, tonumber(ARGV[5])) or raw
    end
  end
  out[1], first = out[1] + #raws, first + 100
end
return out
