-- Part of cycle.lua: a job that waits for its next attempt, and a service that asked everybody to wait.
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
  local origin, attempts, delay, due, gate, logs = unpack(s.more)
  due = tonumber(due) > 0 and tonumber(due) or now + delay
  entry.attempts, entry.due, entry.origin = tonumber(attempts), due, origin
  redis.call('ZADD', K.delayed, text(due), s.id)
  redis.call('HSET', K.entries, s.id, write_entry(entry))
  -- What is put off before its handler began has made no attempt.
  if s.begun ~= attempts or s.verb == 'retry' then
    note_past(s.job, s.verb, redis.call('HGET', s.job, 'startedAt'), A.now, s.body)
  end
  redis.call('HSET', s.job, 'state', 'delayed', 'dueAt', text(due), 'attempts', s.begun,
             'error', s.body)
  if logs ~= '' then redis.call('HSET', s.job, 'logs', add_logs(s.job, logs)) end
  redis.call('PEXPIRE', s.job, text(due - now + A.dead_ms))
  if tonumber(gate) > 0 then close_gate(tonumber(gate)) end
end
