-- Puts a dead job back on the list, with all its attempts before it, unless another job has its unique key by now.
-- KEYS: job dead pending totals unique   ARGV: id dead_ms
-- Atomic because two replays of one job must push it once.
--@include entry record
local id, job = ARGV[1], KEYS[1]
local record = redis.call('HMGET', job, 'state', 'payload', 'unique')
if record[1] ~= 'dead' or not record[2] then return 0 end
even_when_full(KEYS[2])
if record[3] then
  if (redis.call('HGET', KEYS[5], record[3]) or id) ~= id then return 0 end
  redis.call('HSET', KEYS[5], record[3], id)
end
unkeep(KEYS[2], KEYS[4], job, id)
redis.call('HDEL', job, 'error', 'payload', 'bytes', 'finishedAt', 'startedAt', 'attempts', 'seconds')
redis.call('HSET', job, 'state', 'pending', 'origin', id)
redis.call('PEXPIRE', job, ARGV[2])
local entry = {deliveries = 0, attempts = 0, due = 0, origin = id, payload = record[2]}
redis.call('LPUSH', KEYS[3], write_entry(entry))
redis.call('HINCRBY', KEYS[4], 'replay', 1)
return 1
