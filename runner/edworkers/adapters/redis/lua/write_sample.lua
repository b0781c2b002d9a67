-- Writes a sample into a ring, and reads those from which the sample of the next wider step is made.
-- KEYS: series   ARGV: seconds offset sample from to keep_seconds
-- The ring begins with the latest time of all its samples, in ten digits.
-- Atomic because that time must not go back where two servers write at once.
local latest = tonumber(redis.call('GETRANGE', KEYS[1], 0, 9)) or 0
if tonumber(ARGV[1]) > latest then redis.call('SETRANGE', KEYS[1], 0, string.format('%010d', ARGV[1])) end
redis.call('SETRANGE', KEYS[1], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[6])
return redis.call('GETRANGE', KEYS[1], ARGV[4], ARGV[5])
