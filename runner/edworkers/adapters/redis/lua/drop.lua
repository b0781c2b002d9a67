-- Deletes a dead job for good.
-- KEYS: job dead totals failures fingerprints text   ARGV: id
-- Atomic because a job that is being replayed must not lose its record.
--@include record failures
if redis.call('HGET', KEYS[1], 'state') ~= 'dead' then return 0 end
unkeep(KEYS[2], KEYS[3], KEYS[1], ARGV[1])
uncount_failure(KEYS[4], KEYS[5], ARGV[1])
redis.call('DEL', KEYS[1], KEYS[6])
return 1
