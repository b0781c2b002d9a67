-- Cancels a job: at once while it is delayed, else when a runner meets it or, if it runs, is told.
-- KEYS: job cancel delayed entries unique finished totals events   ARGV: id result_ms
-- Atomic because the job may move on between the look and the deed.
--@include record
local id, job, now = ARGV[1], KEYS[1], now_ms()
local state = redis.call('HGET', job, 'state')
if state == 'done' or state == 'dead' or state == 'cancelled' then return 'finished' end
if redis.call('ZREM', KEYS[3], id) == 1 then
  redis.call('HDEL', KEYS[4], id)
  free_unique(KEYS[5], redis.call('HGET', job, 'unique'), id)
  redis.call('HSET', job, 'state', 'cancelled', 'finishedAt', text(now))
  keep(KEYS[6], KEYS[7], job, id, #id + 300, now, tonumber(ARGV[2]))
  redis.call('HINCRBY', KEYS[7], 'cancel', 1)
  return 'cancelled'
end
redis.call('ZADD', KEYS[2], text(now), id)
redis.call('PUBLISH', KEYS[8], 'cancel ' .. id)
return 'requested'
