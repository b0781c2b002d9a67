-- Part of cycle.lua: what becomes of a job that a runner holds. The receipt in `inflight` is the proof that it does.
local function close_gate(milliseconds)
  if milliseconds > redis.call('PTTL', K.gate) then
    redis.call('SET', K.gate, '1', 'PX', text(milliseconds))
  end
  if milliseconds > 60000 then
    redis.call('SADD', K.throttled, 'gate')
    redis.call('PEXPIRE', K.throttled, text(math.max(milliseconds, redis.call('PTTL', K.throttled))))
  end
end

local function put_off(s, raw, now)
  local entry = read_entry(raw)
  local origin, attempts, delay, due, gate = unpack(s.more)
  due = tonumber(due) > 0 and tonumber(due) or now + delay
  entry.attempts, entry.due, entry.origin = tonumber(attempts), due, origin
  redis.call('ZADD', K.delayed, text(due), s.id)
  redis.call('HSET', K.entries, s.id, write_entry(entry))
  redis.call('HSET', s.job, 'state', 'delayed', 'dueAt', text(due), 'attempts', s.begun,
             'error', s.body)
  redis.call('PEXPIRE', s.job, text(due - now + A.dead_ms))
  if tonumber(gate) > 0 then close_gate(tonumber(gate)) end
end

local settle = {}
function settle.ack(s)
  if s.body == '' then
    finish(s, 'done', K.finished, A.result_expiry, 0)
  else
    finish(s, 'done', K.finished, A.result_expiry, #s.body, 'result', s.body)
  end
  for _, follow_up in ipairs(s.more) do redis.call('LPUSH', K.outbox, follow_up) end
end
settle.retry = put_off
settle.defer = put_off
function settle.bury(s, raw)
  local payload = read_entry(raw).payload
  finish(s, 'dead', K.dead, A.dead_expiry, #payload + #s.body, 'error', s.body, 'payload', payload)
end
function settle.cancel(s)
  finish(s, 'cancelled', K.finished, A.result_expiry, 0)
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
  if s.more[2] == '1' then redis.call('HSET', s.job, 'state', 'pending', 'attempts', s.begun) end
end

-- Only these need the job's bytes; for the others the receipt's place in the hash is proof enough.
local needs_entry = {retry = true, defer = true, bury = true, release = true}

local function settle_one(s, now)
  local raw, is_plain = true, not needs_entry[s.verb] and #s.more == 0
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
