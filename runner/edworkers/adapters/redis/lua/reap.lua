-- Takes back jobs whose lease ran out: to the front of the list at once the first time, then after a growing pause.
-- KEYS: pending arrived inflight lease delayed entries totals   ARGV: at_most pause_ms
-- Every such loss is counted in the entry's header, so a job that kills its runners is known by it, decoded or not.
-- Atomic because the lease must be seen to have ended in the same instant in which the job is given away.
--@include entry record
local now = now_ms()
while redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'RIGHT') do end
local receipts = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(now), 'LIMIT', 0, ARGV[1])
for _, receipt in ipairs(receipts) do
  redis.call('ZREM', KEYS[4], receipt)
  local raw = redis.call('HGET', KEYS[3], receipt)
  if raw then
    redis.call('HDEL', KEYS[3], receipt)
    local entry = read_entry(raw)
    entry.deliveries = entry.deliveries + 1
    if entry.origin == '' then entry.origin = receipt end
    if entry.deliveries == 1 then
      redis.call('RPUSH', KEYS[1], write_entry(entry))
    else
      local pause = ARGV[2] * 2 ^ math.min(entry.deliveries - 2, 10)
      redis.call('ZADD', KEYS[5], text(now + pause), entry.origin)
      redis.call('HSET', KEYS[6], entry.origin, write_entry(entry))
    end
  end
end
if #receipts > 0 then redis.call('HINCRBY', KEYS[7], 'reap', #receipts) end
return #receipts
