-- Part of cycle.lua: what an attempt tells of the service that its job's group stands for.
local changes = {}

local function tell(group, failures, open_ms)
  changes[#changes + 1], changes[#changes + 2], changes[#changes + 3] = group, failures, open_ms
end

-- Has a group wait until then, be it for a limit or its circuit: the longer counts.
local function shut(group, until_ms)
  redis.call('ZADD', K.shut, 'GT', text(until_ms), group)
  redis.call('ZREM', K.turns, group)
end

-- What ends while the circuit is open was begun before, and tells nothing new.
local function note_failure(group, now)
  local failures = failures_of(group)
  if failures >= A.failures and tonumber(redis.call('ZSCORE', K.shut, group) or 0) > now then return end
  failures, A.has_failing = failures + 1, true
  redis.call('HSET', K.circuits, group, text(failures) .. ' ' .. A.now)
  if failures < A.failures then return end
  local open_ms = math.min(A.open_ms * 2 ^ (failures - A.failures), A.max_open_ms)
  shut(group, now + open_ms)
  tell(group, failures, open_ms)
end

local function note_success(group)
  local failures = failures_of(group)
  if failures == 0 then return end
  redis.call('HDEL', K.circuits, group)
  if failures < A.failures then return end
  redis.call('ZREM', K.shut, group)
  A.lets_in = true
  tell(group, 0, 0)
end

local FAILED, WORKED = string.byte('-+', 1, 2)

local function note_service(group, what, now)
  if group == '' then return end
  if what == FAILED then note_failure(group, now) elseif what == WORKED then note_success(group) end
end
