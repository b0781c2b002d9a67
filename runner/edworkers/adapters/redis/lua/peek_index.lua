-- Reads members of a sorted set in their order, or backwards, after one that may be gone by now.
-- KEYS: index   ARGV: backwards score member count; no score is the beginning
-- Returns how many there are, then each member and its score.
-- Atomic because ranks change while they are looked for.
local backwards, score, member = ARGV[1] == '1', ARGV[2], ARGV[3]

-- In the order of Redis: by bytes, whatever the locale.
local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- The rank of the first that comes after (score, member), or is it.
local function first_rank()
  local rank = redis.call('ZSCORE', KEYS[1], member) == score and redis.call('ZRANK', KEYS[1], member)
  if rank then return rank, true end
  local low = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. score)
  local high = low + redis.call('ZCOUNT', KEYS[1], score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(redis.call('ZRANGE', KEYS[1], middle, middle)[1], member) then low = middle + 1 else high = middle end
  end
  return low, false
end

local total, first = redis.call('ZCARD', KEYS[1]), 0
if score ~= '' then
  local rank, is_there = first_rank()
  first = backwards and total - rank or rank + (is_there and 1 or 0)
end
local found = redis.call(backwards and 'ZREVRANGE' or 'ZRANGE', KEYS[1], first, first + ARGV[4] - 1, 'WITHSCORES')
return {total, unpack(found)}
