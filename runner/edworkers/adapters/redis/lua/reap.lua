-- Takes back jobs whose lease ran out: to the front of the list at once the first time, then after a growing pause.
-- KEYS: pending arrived inflight lease delayed entries totals fair turns shares fairness grouped running shut circuits
--       events
-- ARGV: at_most pause_ms group_max failures
-- Every such loss is counted in the entry's header, so a job that kills its runners is known by it, decoded or not.
-- Atomic because the lease must be seen to have ended in the same instant in which the job is given away.
local K, A = {fair = KEYS[8], turns = KEYS[9], shares = KEYS[10], fairness = KEYS[11], grouped = KEYS[12],
              running = KEYS[13], shut = KEYS[14], circuits = KEYS[15]},
             {group_max = tonumber(ARGV[3]), failures = tonumber(ARGV[4])}
--@include entry record bounds groups
local now = now_ms()
even_when_full(KEYS[4])
while redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'RIGHT') do end
local receipts = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(now), 'LIMIT', 0, ARGV[1])
for _, receipt in ipairs(receipts) do
  local raw, group = redis.call('HGET', KEYS[3], receipt), redis.call('HGET', K.grouped, receipt)
  if raw then
    local entry = read_entry(raw)
    entry.deliveries = entry.deliveries + 1
    if entry.origin == '' then entry.origin = receipt end
    if entry.deliveries == 1 and group then
      put_first(group, write_entry(entry))
    elseif entry.deliveries == 1 then
      redis.call('RPUSH', KEYS[1], write_entry(entry))
    else
      local pause = ARGV[2] * 2 ^ math.min(entry.deliveries - 2, 10)
      redis.call('ZADD', KEYS[5], text(now + pause), entry.origin)
      redis.call('HSET', KEYS[6], entry.origin, write_entry(entry))
    end
  end
  -- Only now, for what couldn't be written where it goes must stay where it is.
  redis.call('ZREM', KEYS[4], receipt)
  redis.call('HDEL', KEYS[3], receipt)
  if group then
    leave_group(receipt)
    line_up(group)
    redis.call('PUBLISH', KEYS[16], 'resume')
  end
end
if #receipts > 0 then redis.call('HINCRBY', KEYS[7], 'reap', #receipts) end
return #receipts
