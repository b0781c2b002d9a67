-- Reads jobs that wait in the list, the next to be claimed first, from where another look at it ended.
-- KEYS: pending arrived fair   ARGV: place seen size sha1 ends count most_bytes max_bytes cut needles…
-- `place` is how many came before, the last of which had this size and sha1, and began and ended like `ends`; the last
-- look saw `seen` of them. What was claimed since then, or put to the front, has moved that one: it is looked for
-- nearby. Where it isn't found, all that came before it are taken to be gone, or of very many those that the last look
-- saw.
-- Returns how many wait in all, place, seen, size, sha1 and ends for the next look (no sha1 where there is no more),
-- how many bytes were read, then size and bytes of each job that has the needles: of one larger than max_bytes only its
-- beginning. Hardly more than most_bytes are read.
-- Atomic because the list moves while it is looked at.
--@include needles
local FAR, NEAR, LOOK_BYTES, END = 5000, 1000, 4194304, 48
local arrived, pending = redis.call('LLEN', KEYS[2]), redis.call('LLEN', KEYS[1])
local place, size, sha, ends = tonumber(ARGV[1]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local count, most_bytes, max_bytes = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local function add_reversed(out, raws)
  for i = #raws, 1, -1 do out[#out + 1] = raws[i] end
end

-- Jobs by how many are claimed before them.
local function slice(first, last)
  local out = {}
  if first < arrived then add_reversed(out, redis.call('LRANGE', KEYS[2], -math.min(last, arrived), -first - 1)) end
  first, last = math.max(first - arrived, 0), last - arrived
  if last > first then add_reversed(out, redis.call('LRANGE', KEYS[1], -last, -first - 1)) end
  return out
end

local function ends_of(raw)
  return string.sub(raw, 1, END) .. string.sub(raw, -END)
end

local looked_at = 0
local function seek(low, high, most)
  while high > low and looked_at < LOOK_BYTES do
    local from = math.max(high - most, low)
    local raws = slice(from, high)
    for i = #raws, 1, -1 do
      looked_at = looked_at + #raws[i]
      if #raws[i] == size and ends_of(raws[i]) == ends and redis.sha1hex(raws[i]) == sha then return from + i end
    end
    high = from
  end
end

if sha ~= '' then
  local most, low = math.max(1, math.min(500, math.floor(262144 / (size + 1)))), math.max(place - FAR, 0)
  place = seek(place - 1, place, 1) or seek(low, place - 1, most) or seek(place, place + NEAR, most)
    or (low > 0 and math.max(place - ARGV[2], 0) or 0)
end

local out, found, bytes, last, most = {}, 0, 0, '', 4
while found < count and (found == 0 or bytes < most_bytes) do
  local raws = slice(place + found, place + found + math.min(most, count - found))
  for _, raw in ipairs(raws) do
    found, bytes, last = found + 1, bytes + #raw, raw
    if is_sent(raw, 10) then
      out[#out + 1], out[#out + 2] = #raw, #raw > max_bytes and string.sub(raw, 1, tonumber(ARGV[9])) or raw
    end
    if bytes >= most_bytes then break end
  end
  if #raws == 0 then break end
  most = math.max(1, math.min(500, math.floor((most_bytes - bytes) / (bytes + 1) * found)))
end
local is_end = place + found >= arrived + pending
local total = arrived + pending + redis.call('ZCARD', KEYS[3])
return {total, place + found, found, #last, is_end and '' or redis.sha1hex(last), ends_of(last), bytes, unpack(out)}
