-- Moves delayed jobs that are due to the back of the list, the earliest first.
-- KEYS: pending delayed entries   ARGV: at_most
-- Atomic because a job must not be in both places, nor in none.
--@include record
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now_ms()), 'LIMIT', 0, ARGV[1])
even_when_full(KEYS[2])
for _, id in ipairs(ids) do
  local entry = redis.call('HGET', KEYS[3], id)
  if entry then redis.call('LPUSH', KEYS[1], entry) end
  redis.call('HDEL', KEYS[3], id)
  redis.call('ZREM', KEYS[2], id)
end
return #ids
