-- Tells the autoscaler that a limit keeps the queue closed.
-- KEYS: throttled   ARGV: milliseconds reason
-- Atomic because a set without its end would keep the pool at zero for ever.
redis.call('SADD', KEYS[1], ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
