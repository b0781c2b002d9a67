-- Settles what ended, starts what is about to run and claims what there is room for, for one runner.
-- KEYS: pending arrived inflight lease delayed entries dead finished outbox paused gate throttled cancel unique totals
--       fair turns shares fairness grouped running shut circuits failures fingerprints events records, then the record of
--       each settled and of each starting job; records is what the keys of all records begin with.
-- ARGV: token want lease_ms repeated result_ms dead_ms max_bytes max_inflight fair group_max failures open_ms
--       max_open_ms services keep_data begins #settlements #starts,
--       settlements (verb receipt id unique begun seconds body #more more…; more is for ack and cancel, where there is
--       any of it: is_old logs follow_ups_json and each follow-up job, for retry and defer: origin attempts delay due
--       gate logs, for bury: fingerprint cause logs, for release: origin started shut_ms logs),
--       starts (receipt id origin attempt unique type).
-- Where groups have circuits, services has a character for each settlement, which tells of the service that its group
-- stands for: - failed, + worked, . nothing; elsewhere it is empty.
-- A job is old if it was claimed before: then its record may have a history.
-- With begins, jobs that nobody can know by an id are let begin as they are claimed; the reply has a character for each
-- delivery, which is 1 where it was.
-- Atomic because a job may be in one place only, and a result, its follow-up jobs and its end belong together.
-- Safe to repeat with the same token: receipts that are settled are gone, and what was claimed is handed out again. A
-- repeat claims nothing new, as the receipts of its token may have been given to other jobs before.
local K, A = {}, {}
local names = {'pending', 'arrived', 'inflight', 'lease', 'delayed', 'entries', 'dead', 'finished', 'outbox', 'paused',
               'gate', 'throttled', 'cancel', 'unique', 'totals', 'fair', 'turns', 'shares', 'fairness', 'grouped',
               'running', 'shut', 'circuits', 'failures', 'fingerprints', 'events', 'records'}
for i, name in ipairs(names) do K[name] = KEYS[i] end
A.token, A.lease_ms, A.result_ms, A.dead_ms = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
A.max_bytes, A.max_inflight, A.fair, A.group_max = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1', tonumber(ARGV[10])
A.failures, A.open_ms, A.max_open_ms = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
A.keep_data, A.begins = ARGV[15] == '1', ARGV[16] == '1'
--@include entry record failures history bounds groups circuits finish put_off settle start anonymous claim

local now, at, job = now_ms(), 18, #names
-- Written once, as every job needs them: to make a string costs as much as a small command.
A.now, A.result_expiry, A.dead_expiry = text(now), text(A.result_ms + RECORD_GRACE_MS), text(A.dead_ms + RECORD_GRACE_MS)
A.cancels, A.grouped = redis.call('EXISTS', K.cancel) == 1, redis.call('EXISTS', K.grouped) == 1
even_when_full(K.lease)
local lost, counts, freed, nothing = {}, {}, {}, {}
for i = 1, tonumber(ARGV[17]) do
  -- A table written whole costs a third of one that grows.
  local s = {job = KEYS[job + i], verb = ARGV[at + 1], receipt = ARGV[at + 2], id = ARGV[at + 3], unique = ARGV[at + 4],
             begun = ARGV[at + 5], seconds = ARGV[at + 6], body = ARGV[at + 7], more = nothing,
             service = string.byte(ARGV[14], i)}
  local count = tonumber(ARGV[at + 8])
  if count > 0 then s.more = {unpack(ARGV, at + 9, at + 8 + count)} end
  at = at + 8 + count
  if settle_one(s, now) then
    counts[s.verb], freed[#freed + 1] = (counts[s.verb] or 0) + 1, s.receipt
  else
    lost[#lost + 1] = s.receipt
  end
end
in_parts(freed, function(...) redis.call('ZREM', K.lease, ...) end)
-- Nothing else wakes runners for a job that goes back to its group's line, or whose group is let in again.
if A.grouped and (counts.release or A.lets_in) then redis.call('PUBLISH', K.events, 'resume') end
for verb, count in pairs(counts) do redis.call('HINCRBY', K.totals, verb, count) end
write_kept()

local starts, admissions, held = {}, {}, {}
for i = 1, tonumber(ARGV[18]) do
  starts[i] = {job = KEYS[job + ARGV[17] + i], receipt = ARGV[at + 1], id = ARGV[at + 2], origin = ARGV[at + 3],
               attempt = ARGV[at + 4], unique = ARGV[at + 5], type = ARGV[at + 6]}
  admissions[i], at = ARGV[at + 1], at + 6
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
return {lost, admissions, deliveries, closed, redis.call('LLEN', K.pending) + redis.call('ZCARD', K.fair), now, changes,
        table.concat(begun)}
