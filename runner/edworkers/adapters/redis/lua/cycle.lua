-- Settles what ended, starts what is about to run and claims what there is room for, for one runner.
-- KEYS: pending arrived inflight lease delayed entries dead finished outbox paused gate throttled cancel unique totals,
--       then the record of each settled and of each starting job.
-- ARGV: token want lease_ms repeated result_ms dead_ms max_bytes #settlements #starts,
--       settlements (verb receipt id unique begun seconds body #more more…; more is for ack the follow-up jobs,
--       for retry and defer: origin attempts delay due gate, for release: origin started),
--       starts (receipt id origin attempt unique type).
-- Atomic because a job may be in one place only, and a result, its follow-up jobs and its end belong together.
-- Safe to repeat with the same token: receipts that are settled are gone, and what was claimed is handed out again. A
-- repeat claims nothing new, as the receipts of its token may have been given to other jobs before.
local K, A = {}, {}
local names = {'pending', 'arrived', 'inflight', 'lease', 'delayed', 'entries', 'dead', 'finished', 'outbox', 'paused',
               'gate', 'throttled', 'cancel', 'unique', 'totals'}
for i, name in ipairs(names) do K[name] = KEYS[i] end
A.token, A.lease_ms, A.result_ms, A.dead_ms = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
A.max_bytes = tonumber(ARGV[7])
--@include entry record settle start claim

local now, at, job = now_ms(), 9, #names
-- Written once, as every job needs them: to make a string costs as much as a small command.
A.now, A.result_expiry, A.dead_expiry = text(now), text(A.result_ms + RECORD_GRACE_MS), text(A.dead_ms + RECORD_GRACE_MS)
local function take(count)
  at = at + count
  return unpack(ARGV, at - count + 1, at)
end

A.cancels = redis.call('EXISTS', K.cancel) == 1
local lost, counts, freed = {}, {}, {}
for i = 1, tonumber(ARGV[8]) do
  local s, count = {job = KEYS[job + i]}, 0
  s.verb, s.receipt, s.id, s.unique, s.begun, s.seconds, s.body, count = take(8)
  s.more = {take(tonumber(count))}
  if settle_one(s, now) then
    counts[s.verb], freed[#freed + 1] = (counts[s.verb] or 0) + 1, s.receipt
  else
    lost[#lost + 1] = s.receipt
  end
end
in_parts(freed, function(...) redis.call('ZREM', K.lease, ...) end)
for verb, count in pairs(counts) do redis.call('HINCRBY', K.totals, verb, count) end
write_kept()

local starts, admissions, held = {}, {}, {}
for i = 1, tonumber(ARGV[9]) do
  local s = {job = KEYS[job + ARGV[8] + i]}
  s.receipt, s.id, s.origin, s.attempt, s.unique, s.type = take(6)
  starts[i], admissions[i] = s, s.receipt
end
in_parts(admissions, function(...)
  for _, deadline in ipairs(redis.call('ZMSCORE', K.lease, ...)) do held[#held + 1] = deadline end
end)
for i, s in ipairs(starts) do admissions[i] = start(s, held[i]) end

local want, closed, deliveries = tonumber(ARGV[2]), closed_for(), {}
if ARGV[4] == '1' then deliveries = claimed_before(want) end
if closed ~= 0 then
  hand_back()
elseif want > 0 and ARGV[4] ~= '1' then
  deliveries = claim(want, now)
end
return {lost, admissions, deliveries, closed, redis.call('LLEN', K.pending)}
