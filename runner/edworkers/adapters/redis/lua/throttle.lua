-- Tells the autoscaler that a limit keeps the queue closed.
-- KEYS: throttled   ARGV: milliseconds reason
-- Atomic because a set without its end would keep the pool at zero for ever. Never made shorter than it is.
local left = redis.call('PTTL', KEYS[1])
redis.call('SREM', KEYS[1], '')  -- a first write that takes no memory: Redis lets the next be made where it is full
redis.call('SADD', KEYS[1], ARGV[2])
return redis.call('PEXPIRE', KEYS[1], math.max(left, ARGV[1]))
