-- Counts a call in its window; windows follow each other by Redis' clock, the first of all beginning in 1970.
-- KEYS: count   ARGV: window_seconds
-- Returns how many calls there were in this window, with this one.
-- Atomic because every call has to be counted in one window, and once.
local seconds = tonumber(ARGV[1])
local window = string.format('%d/%d', math.floor(redis.call('TIME')[1] / seconds), seconds)
if redis.call('HGET', KEYS[1], 'window') ~= window then
  redis.call('HSET', KEYS[1], 'window', window, 'calls', 0)
  redis.call('EXPIRE', KEYS[1], seconds)
end
return redis.call('HINCRBY', KEYS[1], 'calls', 1)
