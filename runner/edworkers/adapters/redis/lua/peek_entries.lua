-- Reads entries of a hash, as many as most_bytes allow, and one at least.
-- KEYS: entries or inflight   ARGV: most_bytes max_bytes cut #fields fields… needles…
-- Returns how many there are in all, then size and bytes of each: of one larger than max_bytes its beginning only. One
-- that isn't there has a size of -1; of one that hasn't the needles there are no bytes.
-- Atomic because an entry must not go between the look at its size and that at its bytes.
--@include needles
local out, bytes, last = {redis.call('HLEN', KEYS[1])}, 0, 4 + tonumber(ARGV[4])
for i = 5, last do
  local size = redis.call('HSTRLEN', KEYS[1], ARGV[i])
  if i > 5 and bytes + size > tonumber(ARGV[1]) then break end
  local raw = redis.call('HGET', KEYS[1], ARGV[i])
  bytes = bytes + size
  out[#out + 1] = raw and size or -1
  if not raw or not is_sent(raw, last + 1) then
    out[#out + 1] = false
  else
    out[#out + 1] = size > tonumber(ARGV[2]) and string.sub(raw, 1, tonumber(ARGV[3])) or raw
  end
end
return out
