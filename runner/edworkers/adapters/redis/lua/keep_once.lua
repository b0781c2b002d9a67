-- Keeps a value under the key of a request, unless there is one: then that is returned.
-- KEYS: once   ARGV: value seconds
-- Atomic because of two that come at once, only the first may keep its value.
local kept = redis.call('GET', KEYS[1])
if not kept then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return kept
