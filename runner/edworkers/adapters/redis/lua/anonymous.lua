-- Part of cycle.lua: which jobs begin as they are claimed.
-- A job that names no id, key or type is known to nobody yet: nobody can have pushed it twice or cancelled it, and its
-- record says nothing but that it runs. So it needs no start of its own. Where these words stand in its data it is let
-- begin as others are, as it is where they may be written by escapes, or where it would take long to look.
local function is_anonymous(raw)
  return #raw <= 16384 and string.byte(raw, 1) ~= 30
    and not (string.find(raw, '"id"', 1, true) or string.find(raw, '"uniqueKey"', 1, true)
      or string.find(raw, '"type"', 1, true) or string.find(raw, '\\u', 1, true))
end

-- Of each delivery of this call, 1 where it was let begin.
local begun = {}

local function begin_at_claim(receipt)
  redis.call('HSET', K.records .. receipt, 'state', 'inflight', 'origin', receipt, 'attempts', '1', 'startedAt', A.now)
end
