-- Part of cycle.lua: what becomes of a job that a runner holds. The receipt in `inflight` is the proof that it does.
local function finish(s, state, index, bytes, milliseconds, now)
  redis.call('HSET', s.job, 'state', state, 'finishedAt', text(now), 'attempts', s.begun, 'seconds', s.seconds)
  keep(index, K.totals, s.job, s.id, bytes + #s.id + 300, now, milliseconds)
  free_unique(K.unique, s.unique, s.id)
  redis.call('ZREM', K.cancel, s.id)
end

local function put_off(s, raw, now)
  local entry = read_entry(raw)
  local due = s.due > 0 and s.due or now + s.delay
  entry.attempts, entry.due, entry.origin = s.attempts, due, s.origin
  redis.call('ZADD', K.delayed, text(due), s.id)
  redis.call('HSET', K.entries, s.id, write_entry(entry))
  redis.call('HSET', s.job, 'state', 'delayed', 'dueAt', text(due), 'attempts', s.begun,
             'error', s.body)
  redis.call('PEXPIRE', s.job, text(due - now + A.dead_ms))
end

local function close_gate(milliseconds, now)
  if milliseconds > redis.call('PTTL', K.gate) then
    redis.call('SET', K.gate, '1', 'PX', text(milliseconds))
  end
  if milliseconds > 60000 then
    redis.call('SADD', K.throttled, 'gate')
    redis.call('PEXPIRE', K.throttled, text(math.max(milliseconds, redis.call('PTTL', K.throttled))))
  end
end

local settle = {}
function settle.ack(s, raw, now)
  redis.call('HSET', s.job, 'result', s.body)
  finish(s, 'done', K.finished, #s.body, A.result_ms, now)
  for _, follow_up in ipairs(s.follow_ups) do redis.call('LPUSH', K.outbox, follow_up) end
end
settle.retry = put_off
function settle.defer(s, raw, now)
  put_off(s, raw, now)
  if s.gate > 0 then close_gate(s.gate, now) end
end
function settle.bury(s, raw, now)
  local payload = read_entry(raw).payload
  redis.call('HSET', s.job, 'error', s.body, 'payload', payload)
  finish(s, 'dead', K.dead, #payload + #s.body, A.dead_ms, now)
end
function settle.cancel(s, raw, now)
  finish(s, 'cancelled', K.finished, 0, A.result_ms, now)
end
function settle.duplicate() end
function settle.release(s, raw)
  local entry = read_entry(raw)
  entry.origin = s.origin
  redis.call('RPUSH', K.pending, write_entry(entry))
  if s.started == 1 then redis.call('HSET', s.job, 'state', 'pending') end
end
