-- Part of cycle.lua: takes jobs from the right of the list, each under a new receipt and a lease.
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
    if raw then hand_out(out, receipt, raw) end
  end
  return out
end

local function claim(want, now)
  local out, fields, leases = {}, {}, {}
  local deadline = text(now + A.lease_ms)
  for _, list in ipairs({K.arrived, K.pending}) do
    local room = want - #out / 2
    for _, raw in ipairs(room > 0 and redis.call('RPOP', list, room) or {}) do
      local receipt = string.format('%s.%d', A.token, #out / 2 + 1)
      fields[#fields + 1], fields[#fields + 2] = receipt, raw
      leases[#leases + 1], leases[#leases + 2] = deadline, receipt
      hand_out(out, receipt, raw)
    end
  end
  if #out > 0 then
    redis.call('HSET', K.inflight, unpack(fields))
    redis.call('ZADD', K.lease, unpack(leases))
  end
  return out
end
