-- Part of cycle.lua: lets a claimed job begin, unless the same one is known, its key is taken or it is to be cancelled.
local function same_job(s, record)
  local state, origin = record[1], record[2]
  if not state or state == 'dead' or origin == s.origin then return true end
  return not origin and state == 'pending'
end

-- A job that was begun under another receipt, and not settled, has lost its runner. Of a call that is repeated it is
-- the same receipt. Of the first delivery that is the origin, and isn't written once more.
local function note_loss(s, origin)
  local receipt, started_at = unpack(redis.call('HMGET', s.job, 'receipt', 'startedAt'))
  if (receipt or origin) ~= s.receipt then note_past(s.job, 'lost', started_at, A.now, '') end
end

local function begin(s, record)
  if record[1] == 'dead' then
    unkeep(K.dead, K.totals, s.job, s.id)
    uncount_failure(K.failures, K.fingerprints, s.id)
    redis.call('DEL', s.job)
  elseif record[1] then
    redis.call('PERSIST', s.job)  -- if it were forgotten while the job runs, the same one could begin beside it
    if record[1] == 'inflight' then note_loss(s, record[2]) end
  end
  redis.call('HSET', s.job, 'state', 'inflight', 'origin', s.origin, 'attempts', s.attempt, 'startedAt', A.now)
  -- Of the first delivery the origin is the receipt.
  if s.receipt ~= s.origin then redis.call('HSET', s.job, 'receipt', s.receipt) end
  if s.type ~= '' then redis.call('HSET', s.job, 'type', s.type) end
  if s.unique ~= '' then redis.call('HSET', s.job, 'unique', s.unique) end
end

local function start(s, held)
  if not held then return 'lost' end
  local record = redis.call('HMGET', s.job, 'state', 'origin')
  if not same_job(s, record) then return 'duplicate' end
  if s.unique ~= '' then
    local holder = redis.call('HGET', K.unique, s.unique)
    if holder and holder ~= s.id then return 'duplicate' end
    redis.call('HSET', K.unique, s.unique, s.id)
  end
  begin(s, record)
  if A.cancels and redis.call('ZSCORE', K.cancel, s.id) then return 'cancel' end
  return 'start'
end
