-- Part of other scripts: how many jobs of a group may run.
-- K names the keys running and circuits; A.group_max is 0 for no bound, and A.failures after how many failures in a row
-- of its service a group's circuit opens, 0 where none does.

-- To count them also makes sure, before anything is written, that no key of another type is in their place.
A.has_failing = A.failures > 0 and redis.call('HLEN', K.circuits) > 0

local function failures_of(group)
  if not A.has_failing or group == '' then return 0 end
  return tonumber(string.match(redis.call('HGET', K.circuits, group) or '', '^%d+') or 0)
end

-- Whether so many failures were counted that its circuit is open or, once it isn't shut any more, half-open.
local function is_tripped(group)
  return A.has_failing and failures_of(group) >= A.failures
end

-- How many jobs of a group may run. Of one whose circuit is half-open it is one, which tries whether its service works.
local function most_of(group)
  if group == '' then return math.huge end
  if is_tripped(group) then return 1 end
  return A.group_max > 0 and A.group_max or math.huge
end

local function is_full(group, most)
  return most < math.huge and tonumber(redis.call('HGET', K.running, group) or 0) >= most
end
