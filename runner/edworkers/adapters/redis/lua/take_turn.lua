-- Lets one server at a time work on an operation; one that has the turn already keeps it for longer.
-- KEYS: turn   ARGV: server milliseconds
-- Atomic because two servers that both had the turn would do everything twice.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
