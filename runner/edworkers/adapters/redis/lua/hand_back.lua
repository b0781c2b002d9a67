-- Lets other runners have the jobs that woke runners.
-- KEYS: arrived pending   ARGV: none
-- Atomic because a job must not be in both places, nor in none. RPOP comes first, for it may write where memory is full.
local raw = redis.call('RPOP', KEYS[1])
while raw do
  redis.call('RPUSH', KEYS[2], raw)
  raw = redis.call('RPOP', KEYS[1])
end
return 1
