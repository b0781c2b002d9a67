-- Frees unique keys whose holders have ended, or are gone without a trace while nothing waits or runs.
-- KEYS: unique totals pending arrived fair inflight, then the record of each holder
-- ARGV: for each holder: the unique key, its id
-- A record may expire while its job waits, so that only an empty queue proves that a job without one is gone.
-- Atomic because the key may be taken, or the job come back, between the look and the deed.
--@include record
local freed, empty = 0, redis.call('EXISTS', KEYS[3], KEYS[4], KEYS[5], KEYS[6]) == 0
for i = 7, #KEYS do
  local key, id = ARGV[(i - 7) * 2 + 1], ARGV[(i - 7) * 2 + 2]
  local state = redis.call('HGET', KEYS[i], 'state')
  local ended = state == 'done' or state == 'dead' or state == 'cancelled'
  if (ended or (empty and not state)) and redis.call('HGET', KEYS[1], key) == id then
    redis.call('HDEL', KEYS[1], key)
    freed = freed + 1
  end
end
if freed > 0 then redis.call('HINCRBY', KEYS[2], 'repair', freed) end
return freed
