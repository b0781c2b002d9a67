-- Adds jobs whose ids are known, each unless the same one is known already or its unique key is taken.
-- KEYS: pending delayed entries dead unique totals failures fingerprints, then the record of each job
-- ARGV: dead_ms, then for each job: id payload unique urgent due revive parent
-- Atomic because the look at the record and the push must not be parted; safe to repeat, as the record then exists.
-- The push comes first: should it fail, as where its key holds no list, nothing says that the job is known.
--@include entry record failures
local now, out = now_ms(), {}
-- A follow-up job, which mustn't revive a dead one, lies in Redis already: it is moved even where memory is full.
if ARGV[7] ~= '1' then even_when_full(KEYS[2]) end

local function is_new(id, unique, state, revive)
  if state and (state ~= 'dead' or revive ~= '1') then return false end
  return unique == '' or (redis.call('HGET', KEYS[5], unique) or id) == id
end

local function push(id, payload, urgent, due)
  if due > now then
    local entry = {deliveries = 0, attempts = 0, due = due, origin = id, payload = payload}
    redis.call('HSET', KEYS[3], id, write_entry(entry))
    redis.call('ZADD', KEYS[2], text(due), id)
  else
    redis.call(urgent == '1' and 'RPUSH' or 'LPUSH', KEYS[1], payload)
  end
end

local function begin_record(job, id, unique, due, parent)
  if unique ~= '' then
    redis.call('HSET', KEYS[5], unique, id)
    redis.call('HSET', job, 'unique', unique)
  end
  redis.call('HSET', job, 'state', 'pending', 'queuedAt', text(now))
  if parent ~= '' then redis.call('HSET', job, 'parent', parent) end
  if due > now then redis.call('HSET', job, 'state', 'delayed', 'origin', id, 'dueAt', text(due)) end
  redis.call('PEXPIRE', job, text(math.max(due - now, 0) + ARGV[1]))
end

for i = 9, #KEYS do
  local job, at = KEYS[i], (i - 9) * 7 + 1
  local id, payload, unique, urgent, due, revive, parent = unpack(ARGV, at + 1, at + 7)
  local state = redis.call('HGET', job, 'state')
  if is_new(id, unique, state, revive) then
    push(id, payload, urgent, tonumber(due))
    if state then
      unkeep(KEYS[4], KEYS[6], job, id)
      uncount_failure(KEYS[7], KEYS[8], id)
      redis.call('DEL', job)
    end
    begin_record(job, id, unique, tonumber(due), parent)
    out[#out + 1] = 1
  else
    out[#out + 1] = 0
  end
end
return out
