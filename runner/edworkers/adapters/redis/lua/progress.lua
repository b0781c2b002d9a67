-- Keeps a running job's progress, if the receipt still holds it.
-- KEYS: job lease   ARGV: receipt progress
-- Atomic because a runner that lost the job must not write over another's progress.
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'progress', ARGV[2])
return 1
