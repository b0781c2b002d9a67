-- Reads the entry of the job that is to be claimed first, unless it is large.
-- KEYS: arrived pending   ARGV: most_bytes
-- Atomic because a job may move from the one to the other.
local raw = redis.call('LINDEX', KEYS[1], -1) or redis.call('LINDEX', KEYS[2], -1)
return raw and #raw <= tonumber(ARGV[1]) and raw
