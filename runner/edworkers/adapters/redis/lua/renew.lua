-- Renews the leases of one runner, and tells it which it lost and which jobs it is to cancel.
-- KEYS: lease cancel runners   ARGV: lease_ms runner #receipts receipts… job ids (as many, empty where not known)
-- Atomic because a lease that was reaped must not come back.
--@include record
local now, count = now_ms(), tonumber(ARGV[3])
local lost, cancelled = {}, {}
local cancels = redis.call('EXISTS', KEYS[2]) == 1
even_when_full(KEYS[1])
for i = 4, 3 + count do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], text(now + ARGV[1]), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
  local id = ARGV[i + count]
  if cancels and id ~= '' and redis.call('ZSCORE', KEYS[2], id) then cancelled[#cancelled + 1] = id end
end
redis.call('ZADD', KEYS[3], text(now), ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now - 60000))
return {lost, cancelled}
