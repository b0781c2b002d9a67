-- Keeps a running job's progress, if the receipt still holds it.
-- KEYS: job lease   ARGV: receipt progress
-- Atomic because a runner that lost the job must not write over another's progress.
--@include record
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
even_when_full(KEYS[2])
redis.call('HSET', KEYS[1], 'progress', ARGV[2])
return 1
