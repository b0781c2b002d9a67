-- Part of cycle.lua: takes jobs from the right of the list, or in their groups' turn, each under a new receipt and a
-- lease, and no more than may be in flight.
local function closed_for()
  if redis.call('EXISTS', K.paused) == 1 then return -1 end
  return math.max(redis.call('PTTL', K.gate), 0)
end

local function hand_back()
  while redis.call('LMOVE', K.arrived, K.pending, 'RIGHT', 'RIGHT') do end
end

-- Too large a payload stays in Redis: moving it could take a small runner's memory, again and again. Its size is told.
local function hand_out(out, receipt, raw)
  local size = #raw > A.max_bytes and #read_entry(raw).payload or 0
  out[#out + 1], out[#out + 2] = receipt, size > A.max_bytes and size or raw
end

-- What a call whose reply was lost has claimed is handed out again: its receipts are known from its token.
local function claimed_before(want)
  local out = {}
  for i = 1, want do
    local receipt = A.token .. '.' .. i
    local raw = redis.call('HGET', K.inflight, receipt)
    if raw then
      hand_out(out, receipt, raw)
      begun[#begun + 1] = A.begins and redis.call('EXISTS', K.records .. receipt) == 1 and '1' or '0'
    end
  end
  return out
end

local out, fields, leases, groups, beginning = {}, {}, {}, {}, {}

local function hold(raw, deadline, group)
  local receipt = string.format('%s.%d', A.token, #out / 2 + 1)
  fields[#fields + 1], fields[#fields + 2] = receipt, raw
  leases[#leases + 1], leases[#leases + 2] = deadline, receipt
  if group then groups[#groups + 1], groups[#groups + 2] = receipt, group end
  hand_out(out, receipt, raw)
  local is_begun = A.begins and is_anonymous(raw)
  if is_begun then beginning[#beginning + 1] = receipt end
  begun[#begun + 1] = is_begun and '1' or '0'
end

local function claim_in_turn(want, deadline, now)
  check_places()
  for _, group in ipairs(redis.call('ZRANGEBYSCORE', K.shut, '-inf', text(now), 'LIMIT', 0, 1000)) do
    redis.call('ZREM', K.shut, group)
    line_up(group)
  end
  while #out / 2 < want do
    local raw, group = take_turn()
    if not raw then break end
    hold(raw, deadline, group)
  end
  -- What ended before the clock's time says no more than the clock.
  if #out > 0 then redis.call('ZREMRANGEBYSCORE', K.shares, '-inf', redis.call('HGET', K.fairness, 'clock')) end
end

local function claim(want, now)
  -- To count those in flight also makes sure, before anything is taken, that it can be put there.
  local deadline, inflight = text(now + A.lease_ms), redis.call('HLEN', K.inflight)
  if A.max_inflight > 0 then want = math.min(want, A.max_inflight - inflight) end
  -- A queue that was fair until now empties its lines first.
  if A.fair or redis.call('EXISTS', K.fair) == 1 then claim_in_turn(want, deadline, now) end
  for _, list in ipairs(A.fair and {} or {K.arrived, K.pending}) do
    local room = want - #out / 2
    for _, raw in ipairs(room > 0 and redis.call('RPOP', list, room) or {}) do hold(raw, deadline) end
  end
  if #out > 0 then
    redis.call('HSET', K.inflight, unpack(fields))
    redis.call('ZADD', K.lease, unpack(leases))
    if #groups > 0 then redis.call('HSET', K.grouped, unpack(groups)) end
    for _, receipt in ipairs(beginning) do begin_at_claim(receipt) end
  end
  if A.fair or want <= 0 then hand_back() end
  return out
end
