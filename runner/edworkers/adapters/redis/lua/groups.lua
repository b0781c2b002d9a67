-- Part of other scripts: jobs that wait by group, and whose turn it is (start-time fair queueing, a job costing 1).
-- K names the keys fair, turns, shares, fairness, grouped, running and shut; A.group_max is 0 for no bound.
-- Jobs without a group are one group, whose name is empty, and of which any number may run.
-- A group has a turn if a job of it waits, no limit shuts it and fewer of its jobs run than may; whoever takes a turn
-- looks at the bound again.
local function next_of(group)
  return redis.call('ZRANGEBYLEX', K.fair, '[' .. group .. '\0', '(' .. group .. '\1', 'LIMIT', 0, 1)[1]
end

local function is_full(group)
  return group ~= '' and A.group_max > 0 and tonumber(redis.call('HGET', K.running, group) or 0) >= A.group_max
end

local function line_up(group)
  if redis.call('ZSCORE', K.turns, group) or redis.call('ZSCORE', K.shut, group) or is_full(group) then return end
  if not next_of(group) then return end
  local clock, had = redis.call('HGET', K.fairness, 'clock'), redis.call('ZSCORE', K.shares, group)
  return redis.call('ZADD', K.turns, text(math.max(clock or 0, had or 0)), group)
end

-- Puts an entry in its group's line: at the end, or at the front.
local function join_line(group, raw, front)
  local place = redis.call('HINCRBY', K.fairness, 'places', 1)
  local at = string.format('%015.0f', 5e14 + (front and -place or place))
  redis.call('ZADD', K.fair, 0, group .. '\0' .. at .. '\0' .. raw)
  line_up(group)
end

-- Takes the next job of the group whose turn it is; nothing where every group that waits has to wait longer.
local function take_turn()
  while true do
    local group, at = unpack(redis.call('ZRANGE', K.turns, 0, 0, 'WITHSCORES'))
    if not group then return end
    local member = next_of(group)
    if member and not is_full(group) then
      redis.call('ZREM', K.fair, member)
      redis.call('HINCRBY', K.running, group, 1)
      redis.call('HSET', K.fairness, 'clock', at)
      redis.call('ZADD', K.shares, text(at + 1), group)
      redis.call('ZREM', K.turns, group)
      line_up(group)
      return string.sub(member, #group + 18), group
    end
    redis.call('ZREM', K.turns, group)
  end
end

-- Forgets that a job is in flight; returns its group, nothing where it has none.
local function leave_group(receipt)
  local group = redis.call('HGET', K.grouped, receipt)
  if not group then return end
  redis.call('HDEL', K.grouped, receipt)
  if redis.call('HINCRBY', K.running, group, -1) <= 0 then redis.call('HDEL', K.running, group) end
  return group
end
