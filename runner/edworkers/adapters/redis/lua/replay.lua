-- Puts a dead job back on the list, with all its attempts before it, unless another job has its unique key by now.
-- KEYS: job dead pending totals unique failures fingerprints   ARGV: id dead_ms, and to replay it with another payload
--       that and its unique key, or an empty one
-- Its record keeps its history.
-- Atomic because two replays of one job must push it once, and what is pushed must be what was read or given.
--@include entry record failures history
local id, job = ARGV[1], KEYS[1]
local record = redis.call('HMGET', job, 'state', 'payload', 'unique', 'startedAt', 'finishedAt', 'error')
if record[1] ~= 'dead' or not record[2] then return 0 end
local payload, unique = ARGV[3] or record[2], ARGV[4] or record[3] or ''
even_when_full(KEYS[2])
if unique ~= '' then
  if (redis.call('HGET', KEYS[5], unique) or id) ~= id then return 0 end
  redis.call('HSET', KEYS[5], unique, id)
end
unkeep(KEYS[2], KEYS[4], job, id)
uncount_failure(KEYS[6], KEYS[7], id)
note_past(job, 'bury', record[4], record[5] or text(now_ms()), record[6] or '')
redis.call('HDEL', job, 'error', 'payload', 'bytes', 'finishedAt', 'startedAt', 'attempts', 'seconds', 'fingerprint')
if ARGV[3] then
  redis.call('HDEL', job, 'type', 'unique')  -- which may be others now: of the type its next start tells
  if unique ~= '' then redis.call('HSET', job, 'unique', unique) end
end
redis.call('HSET', job, 'state', 'pending', 'origin', id)
redis.call('PEXPIRE', job, ARGV[2])
local entry = {deliveries = 0, attempts = 0, due = 0, origin = id, payload = payload}
redis.call('LPUSH', KEYS[3], write_entry(entry))
redis.call('HINCRBY', KEYS[4], 'replay', 1)
return 1
