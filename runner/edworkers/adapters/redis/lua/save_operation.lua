-- Keeps a bulk operation, be it new or not, and forgets old ones; with `only_if` only where its status is still this.
-- KEYS: operation operations   ARGV: id created_at status body only_if keep_ms most
-- Atomic because two servers, or one and a person who undoes it, must not both change it.
local id, created_at, status, only_if, keep_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[5], tonumber(ARGV[6])
if only_if ~= '' and redis.call('HGET', KEYS[1], 'status') ~= only_if then return 0 end
redis.call('HSET', KEYS[1], 'status', status, 'body', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], created_at, id)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', created_at - keep_ms))
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[7] - 1)
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return 1
