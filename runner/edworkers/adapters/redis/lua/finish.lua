-- Part of cycle.lua: the end of a job, and its record, which is kept for a while.
local kept, kept_bytes = {}, 0

-- What many jobs have in common is written once for all of them, by write_kept.
local function finish(s, state, index, expiry, size, ...)
  size = size + #s.id + 300
  local bytes = string.format('%d', size)
  redis.call('HSET', s.job, 'state', state, 'finishedAt', A.now, 'attempts', s.begun, 'seconds', s.seconds,
             'bytes', bytes, ...)
  redis.call('PEXPIRE', s.job, expiry)
  kept[index] = kept[index] or {}
  local members = kept[index]
  members[#members + 1], members[#members + 2] = A.now, bytes .. ':' .. s.id
  kept_bytes = kept_bytes + size
  free_unique(K.unique, s.unique, s.id)
  if A.cancels then redis.call('ZREM', K.cancel, s.id) end
end

local function write_kept()
  for index, members in pairs(kept) do
    in_parts(members, function(...) redis.call('ZADD', index, ...) end)
  end
  if kept_bytes > 0 then redis.call('HINCRBY', K.totals, 'recordBytes', kept_bytes) end
end
