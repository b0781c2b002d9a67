-- Settles what ended, starts what is about to run and claims what there is room for, for one runner.
-- KEYS: pending arrived inflight lease delayed entries dead finished outbox paused gate throttled cancel unique totals,
--       then the record of each settled and of each starting job.
-- ARGV: token want lease_ms repeated result_ms dead_ms max_bytes #settlements #starts,
--       settlements (verb receipt id origin unique attempts begun seconds body delay due gate started #follow_ups follow_ups…),
--       starts (receipt id origin attempt unique type).
-- Atomic because a job may be in one place only, and a result, its follow-up jobs and its end belong together.
-- Safe to repeat with the same token: receipts that are settled are gone, and what was claimed is handed out again.
local K, A = {}, {}
local names = {'pending', 'arrived', 'inflight', 'lease', 'delayed', 'entries', 'dead', 'finished', 'outbox', 'paused',
               'gate', 'throttled', 'cancel', 'unique', 'totals'}
for i, name in ipairs(names) do K[name] = KEYS[i] end
A.token, A.lease_ms, A.result_ms, A.dead_ms = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
A.max_bytes = tonumber(ARGV[7])
--@include entry record settle start claim

local now, at, job = now_ms(), 9, #names
local function take(count)
  at = at + count
  return unpack(ARGV, at - count + 1, at)
end

local lost, counts = {}, {}
for _ = 1, tonumber(ARGV[8]) do
  local s, count = {}, 0
  s.verb, s.receipt, s.id, s.origin, s.unique, s.attempts, s.begun, s.seconds, s.body, s.delay, s.due, s.gate, s.started, count =
    take(14)
  s.attempts, s.delay, s.due, s.gate = tonumber(s.attempts), tonumber(s.delay), tonumber(s.due), tonumber(s.gate)
  s.started, s.follow_ups, job = tonumber(s.started), {take(tonumber(count))}, job + 1
  s.job = KEYS[job]
  local raw = redis.call('HGET', K.inflight, s.receipt)
  if raw then
    redis.call('HDEL', K.inflight, s.receipt)
    redis.call('ZREM', K.lease, s.receipt)
    settle[s.verb](s, raw, now)
    counts[s.verb] = (counts[s.verb] or 0) + 1
  else
    lost[#lost + 1] = s.receipt
  end
end
for verb, count in pairs(counts) do redis.call('HINCRBY', K.totals, verb, count) end

local admissions = {}
local starts = tonumber(ARGV[9])
local cancels = starts > 0 and redis.call('EXISTS', K.cancel) == 1
for i = 1, starts do
  local s = {}
  s.receipt, s.id, s.origin, s.attempt, s.unique, s.type = take(6)
  job = job + 1
  s.job = KEYS[job]
  admissions[i] = start(s, redis.call('ZSCORE', K.lease, s.receipt), cancels, now)
end

local want, closed, deliveries = tonumber(ARGV[2]), closed_for(), {}
if ARGV[4] == '1' then deliveries = claimed_before(want) end
if closed ~= 0 then
  hand_back()
elseif want > 0 and #deliveries == 0 then
  deliveries = claim(want, now)
end
return {lost, admissions, deliveries, closed, redis.call('LLEN', K.pending)}
