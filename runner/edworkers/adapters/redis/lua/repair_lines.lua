-- Mends the lines of groups: what repair.lua does for the rest of a queue.
-- KEYS: fair turns shares fairness grouped running shut circuits inflight totals   ARGV: at_most group_max failures
-- Returns of how many things of each kind were mended: jobs counted for their groups that are in flight no more, groups
-- whose count was wrong, groups whose jobs waited without a turn.
-- Atomic because a job must not leave or come while it is counted. Safe to repeat: what is whole is left alone.
-- Bounded: at most at_most of each kind, at random; counts are held against the jobs only where these are few.
local K, A = {fair = KEYS[1], turns = KEYS[2], shares = KEYS[3], fairness = KEYS[4], grouped = KEYS[5],
              running = KEYS[6], shut = KEYS[7], circuits = KEYS[8]},
             {group_max = tonumber(ARGV[2]), failures = tonumber(ARGV[3])}
local inflight, totals, at_most, mended, DAY_MS = KEYS[9], KEYS[10], tonumber(ARGV[1]), {0, 0, 0}, 86400000
--@include record bounds groups
even_when_full(K.shut)

for _, receipt in ipairs(redis.call('HRANDFIELD', K.grouped, at_most)) do
  if redis.call('HEXISTS', inflight, receipt) == 0 then
    line_up(leave_group(receipt))
    mended[1] = mended[1] + 1
  end
end

if redis.call('HLEN', K.grouped) <= at_most then
  local counts, known = {}, redis.call('HGETALL', K.running)
  for _, group in ipairs(redis.call('HVALS', K.grouped)) do counts[group] = (counts[group] or 0) + 1 end
  for i = 1, #known, 2 do
    local count = counts[known[i]]
    counts[known[i]] = nil
    if not count then
      redis.call('HDEL', K.running, known[i])
    elseif count ~= tonumber(known[i + 1]) then
      redis.call('HSET', K.running, known[i], count)
    end
    if count ~= tonumber(known[i + 1]) then mended[2] = mended[2] + 1 end
  end
  for group, count in pairs(counts) do
    redis.call('HSET', K.running, group, count)
    mended[2] = mended[2] + 1
  end
end

-- Of a service that nobody has asked for a day nothing is known any more. That is no fault, and isn't counted.
local flat, now = redis.call('HRANDFIELD', K.circuits, at_most, 'WITHVALUES'), now_ms()
for i = 1, #flat, 2 do
  local at = tonumber(string.match(flat[i + 1], '^%d+ (%d+)$') or 0)
  if at <= now - DAY_MS and not redis.call('ZSCORE', K.shut, flat[i]) then
    redis.call('HDEL', K.circuits, flat[i])
    line_up(flat[i])
  end
end

for _, member in ipairs(redis.call('ZRANDMEMBER', K.fair, math.min(at_most, 100))) do
  local group = string.match(member, '^[^%z]*')
  if line_up(group) then mended[3] = mended[3] + 1 end
end

local sum = mended[1] + mended[2] + mended[3]
if sum > 0 then redis.call('HINCRBY', totals, 'repair', sum) end
return mended
