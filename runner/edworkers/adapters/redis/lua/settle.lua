-- Part of cycle.lua: what becomes of a job that a runner holds. The receipt in `inflight` is the proof that it does.
local settle = {}
function settle.ack(s, raw)
  if is_usual(s) then
    if s.body == '' then
      finish(s, 'done', K.finished, A.result_expiry, 0)
    else
      finish(s, 'done', K.finished, A.result_expiry, #s.body, 'result', s.body)
    end
    return
  end
  finish_with_more(s, 'done', raw, s.body ~= '' and {'result', s.body} or {})
  for i = 4, #s.more do redis.call('LPUSH', K.outbox, s.more[i]) end
end
settle.retry = put_off
settle.defer = put_off
function settle.bury(s, raw, now)
  local entry, fingerprint, cause, logs = read_entry(raw), unpack(s.more)
  local fields = {'error', s.body, 'payload', entry.payload}
  local size = add_history(s, fields, entry.origin ~= '', logs)
  -- Not counted: it is as long as others are, and of many dead letters there is none.
  if fingerprint ~= '' then fields[#fields + 1], fields[#fields + 2] = 'fingerprint', fingerprint end
  finish(s, 'dead', K.dead, A.dead_expiry, size, unpack(fields))
  count_failure(K.failures, K.fingerprints, s.id, fingerprint, now, cause)
end
function settle.cancel(s, raw)
  if is_usual(s) then
    finish(s, 'cancelled', K.finished, A.result_expiry, 0)
  else
    finish_with_more(s, 'cancelled', raw, {})
  end
end
function settle.duplicate() end
function settle.release(s, raw, now)
  local entry = read_entry(raw)
  entry.origin = s.more[1]
  if s.group then
    if tonumber(s.more[3]) > 0 then
      shut(s.group, now + s.more[3])
    end
    put_first(s.group, write_entry(entry))
  else
    redis.call('RPUSH', K.pending, write_entry(entry))
  end
  if s.more[2] ~= '1' then return end
  redis.call('HSET', s.job, 'state', 'pending', 'attempts', s.begun)
  if s.more[4] ~= '' then redis.call('HSET', s.job, 'logs', add_logs(s.job, s.more[4])) end
end

-- Only these need the job's bytes; for the others the receipt's place in the hash is proof enough.
local needs_entry = {retry = true, defer = true, bury = true, release = true}

local function settle_one(s, now)
  local raw, is_plain = true, not needs_entry[s.verb] and is_usual(s)
  if is_plain then
    if redis.call('HDEL', K.inflight, s.receipt) == 0 then return false end
  else
    raw = redis.call('HGET', K.inflight, s.receipt)
    if not raw then return false end
  end
  if A.grouped then s.group = leave_group(s.receipt) end
  settle[s.verb](s, raw, now)
  -- Only now, for what couldn't be written where it goes must stay where it is.
  if not is_plain then redis.call('HDEL', K.inflight, s.receipt) end
  if s.group then
    if s.service then note_service(s.group, s.service, now) end
    line_up(s.group)
  end
  return true
end
