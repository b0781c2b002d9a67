-- Adds jobs whose ids are known, each unless the same one is known already or its unique key is taken.
-- KEYS: pending delayed entries dead unique totals, then the record of each job
-- ARGV: dead_ms, then for each job: id payload unique urgent due revive
-- Atomic because the look at the record and the push must not be parted; safe to repeat, as the record then exists.
--@include entry record
local now, out = now_ms(), {}
local function is_new(job, id, unique, revive)
  local state = redis.call('HGET', job, 'state')
  if state and (state ~= 'dead' or revive ~= '1') then return false end
  if unique ~= '' and redis.call('HSETNX', KEYS[5], unique, id) == 0 and redis.call('HGET', KEYS[5], unique) ~= id then
    return false
  end
  if state then
    unkeep(KEYS[4], KEYS[6], job, id)
    redis.call('DEL', job)
  end
  return true
end
for i = 7, #KEYS do
  local job, at = KEYS[i], (i - 7) * 6 + 1
  local id, payload, unique, urgent, due, revive = unpack(ARGV, at + 1, at + 6)
  if is_new(job, id, unique, revive) then
    redis.call('HSET', job, 'state', 'pending', 'queuedAt', text(now))
    if unique ~= '' then redis.call('HSET', job, 'unique', unique) end
    if tonumber(due) > now then
      local entry = {deliveries = 0, attempts = 0, due = tonumber(due), origin = id, payload = payload}
      redis.call('HSET', KEYS[3], id, write_entry(entry))
      redis.call('ZADD', KEYS[2], due, id)
      redis.call('HSET', job, 'state', 'delayed', 'origin', id, 'dueAt', due)
    else
      redis.call(urgent == '1' and 'RPUSH' or 'LPUSH', KEYS[1], payload)
    end
    redis.call('PEXPIRE', job, text(math.max(due - now, 0) + ARGV[1]))
    out[#out + 1] = 1
  else
    out[#out + 1] = 0
  end
end
return out
