-- Gives back what a reservation did not use, or takes what it used beyond, where count is below 0.
-- KEYS: used rolling   ARGV: token granted count, then the fields of `used` that the reservation counted
-- Atomic because a refund that is half done would leave one window tighter than another.
local token, granted, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREM', KEYS[2], '')  -- a first write that takes no memory, so that the others may follow where it is full
local score = redis.call('ZSCORE', KEYS[2], token .. ':' .. granted)
if score then
  redis.call('ZREM', KEYS[2], token .. ':' .. granted)
  redis.call('HINCRBY', KEYS[1], 'rolling', -count)
  if granted > count then redis.call('ZADD', KEYS[2], score, token .. ':' .. (granted - count)) end
end
for i = 4, #ARGV do redis.call('HINCRBY', KEYS[1], ARGV[i], -count) end
return count
