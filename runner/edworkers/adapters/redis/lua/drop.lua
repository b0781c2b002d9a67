-- Deletes a dead job for good.
-- KEYS: job dead totals   ARGV: id
-- Atomic because a job that is being replayed must not lose its record.
--@include record
if redis.call('HGET', KEYS[1], 'state') ~= 'dead' then return 0 end
unkeep(KEYS[2], KEYS[3], KEYS[1], ARGV[1])
redis.call('DEL', KEYS[1])
return 1
