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

-- Of most jobs nothing is kept but their end and their result: they are what a queue's throughput hangs on.
local function is_usual(s)
  return #s.more == 0 and not A.keep_data
end

-- Adds the log of this attempt to the fields that are to be written; returns how many bytes they take, with what the
-- record has of earlier attempts.
local function add_history(s, fields, is_old, logs)
  if logs ~= '' then
    fields[#fields + 1], fields[#fields + 2] = 'logs', is_old and add_logs(s.job, logs) or logs
  end
  local size = 0
  for i = 2, #fields, 2 do size = size + #fields[i] end
  if is_old then size = size + past_bytes(s.job) + (logs == '' and redis.call('HSTRLEN', s.job, 'logs') or 0) end
  return size
end

local function finish_with_more(s, state, raw, fields)
  local is_old, logs, follow_ups = unpack(s.more)
  if follow_ups and follow_ups ~= '' then
    fields[#fields + 1], fields[#fields + 2] = 'followUps', follow_ups
  end
  if A.keep_data then fields[#fields + 1], fields[#fields + 2] = 'payload', read_entry(raw).payload end
  local size = add_history(s, fields, is_old == '1', logs or '')
  finish(s, state, K.finished, A.result_expiry, size, unpack(fields))
end
