-- Part of other scripts: jobs that wait by group, and whose turn it is (start-time fair queueing, a job costing 1).
-- K names the keys fair, turns, shares, fairness, grouped, running and shut; bounds.lua comes before it.
-- Jobs without a group are one group, whose name is empty, and of which any number may run.
-- A group has a turn if a job of it waits, it isn't shut (by a limit, or its open circuit) and fewer of its jobs run
-- than may; whoever takes a turn looks at the bound again.
local function first_of(group, count)
  return redis.call('ZRANGEBYLEX', K.fair, '[' .. group .. '\0', '(' .. group .. '\1', 'LIMIT', 0, count)
end

local function line_up(group)
  if redis.call('ZSCORE', K.turns, group) or redis.call('ZSCORE', K.shut, group) or is_full(group, most_of(group)) then
    return
  end
  if not first_of(group, 1)[1] then return end
  local clock, had = redis.call('HGET', K.fairness, 'clock'), redis.call('ZSCORE', K.shares, group)
  return redis.call('ZADD', K.turns, text(math.max(clock or 0, had or 0)), group)
end

-- Fails, before anything is taken from its place, where a key of another type is in the place of one of these.
local function check_places()
  for _, key in ipairs({K.fair, K.turns, K.shares, K.shut}) do redis.call('ZCARD', key) end
  for _, key in ipairs({K.fairness, K.running, K.grouped}) do redis.call('HLEN', key) end
end

-- Puts an entry in its group's line; those of lower places come first.
local function put_in_line(group, raw, place)
  redis.call('ZADD', K.fair, 0, group .. '\0' .. string.format('%015.0f', 5e14 + place) .. '\0' .. raw)
end

local function put_first(group, raw)
  put_in_line(group, raw, -redis.call('HINCRBY', K.fairness, 'places', 1))
  line_up(group)
end

-- Takes the next job of the group whose turn it is; nothing where every group that waits has to wait longer.
local function take_turn()
  while true do
    local group, at = unpack(redis.call('ZRANGE', K.turns, 0, 0, 'WITHSCORES'))
    if not group then return end
    local line, most = first_of(group, 2), most_of(group)
    if line[1] and not is_full(group, most) then
      redis.call('ZREM', K.fair, line[1])
      local running, ends = redis.call('HINCRBY', K.running, group, 1), text(at + 1)
      redis.call('HSET', K.fairness, 'clock', at)
      redis.call('ZADD', K.shares, ends, group)
      if line[2] and running < most then
        redis.call('ZADD', K.turns, ends, group)
      else
        redis.call('ZREM', K.turns, group)
      end
      return string.sub(line[1], #group + 18), group
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
