-- Cancels a job: at once while it is delayed, else when a runner meets it or, if it runs, is told.
-- KEYS: job cancel delayed entries unique finished totals events   ARGV: id result_ms keep_data
-- Atomic because the job may move on between the look and the deed.
--@include entry record history
local id, job, now = ARGV[1], KEYS[1], now_ms()
local state = redis.call('HGET', job, 'state')
if state == 'done' or state == 'dead' or state == 'cancelled' then return 'finished' end
if redis.call('ZREM', KEYS[3], id) == 1 then
  local raw, bytes = redis.call('HGET', KEYS[4], id), #id + 300 + past_bytes(job) + redis.call('HSTRLEN', job, 'logs')
  if ARGV[3] == '1' and raw then
    local payload = read_entry(raw).payload
    redis.call('HSET', job, 'payload', payload)
    bytes = bytes + #payload
  end
  redis.call('HDEL', KEYS[4], id)
  free_unique(KEYS[5], redis.call('HGET', job, 'unique'), id)
  redis.call('HSET', job, 'state', 'cancelled', 'finishedAt', text(now))
  keep(KEYS[6], KEYS[7], job, id, bytes, now, tonumber(ARGV[2]))
  redis.call('HINCRBY', KEYS[7], 'cancel', 1)
  return 'cancelled'
end
redis.call('ZADD', KEYS[2], text(now), id)
redis.call('PUBLISH', KEYS[8], 'cancel ' .. id)
return 'requested'
