-- Mends what no script leaves behind, but a person with redis-cli or a file that was restored by hand may: half a job,
-- or a queue that is closed without an end.
-- KEYS: inflight lease delayed entries throttled gate finished dead totals unique   ARGV: at_most longest_lease_ms
-- Returns of how many things of each kind were mended: jobs in flight without a lease, leases without a job, leases that
-- end too late, jobs put off without a time, times without a job, closed without an end, miscounted bytes; then unique
-- keys and their holders, for the caller to look up: their records can't be declared beforehand.
-- Atomic because the halves of a job must be seen in the same instant. Safe to repeat: what is whole is left alone.
-- Bounded: of each place at most at_most, at random, and four times as many where the halves differ in number.
--@include entry record
local inflight, lease, delayed, entries, totals = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[9]
local now, at_most, longest = now_ms(), tonumber(ARGV[1]), tonumber(ARGV[2])
local SECOND, LEAST_BYTES, mended = 1000, 300, {0, 0, 0, 0, 0, 0, 0}
even_when_full(lease)

local function mend(kind, ...)
  redis.call(...)
  mended[kind] = mended[kind] + 1
end

-- Names what one place has and the other lacks. The payloads aren't read: they may be large.
local function unmatched(hash, zset)
  local many = redis.call('HLEN', hash) == redis.call('ZCARD', zset) and at_most or at_most * 4
  local only_hash, only_zset = {}, {}
  in_parts(redis.call('HRANDFIELD', hash, many), function(...)
    for i, score in ipairs(redis.call('ZMSCORE', zset, ...)) do
      if not score then only_hash[#only_hash + 1] = select(i, ...) end
    end
  end)
  for _, name in ipairs(redis.call('ZRANDMEMBER', zset, many)) do
    if redis.call('HEXISTS', hash, name) == 0 then only_zset[#only_zset + 1] = name end
  end
  return only_hash, only_zset
end

-- A lease that ends now is reaped, with all that belongs to it.
local jobs, leases = unmatched(inflight, lease)
for _, receipt in ipairs(jobs) do mend(1, 'ZADD', lease, text(now), receipt) end
for _, receipt in ipairs(leases) do
  if tonumber(redis.call('ZSCORE', lease, receipt)) > now then mend(2, 'ZADD', lease, text(now), receipt) end
end
-- Redis' clock was wrong when it was written. A runner that is up has renewed it since.
for _, receipt in ipairs(redis.call('ZRANGEBYSCORE', lease, text(now + longest + 1), '+inf', 'LIMIT', 0, at_most)) do
  mend(3, 'ZADD', lease, text(now + longest), receipt)
end

local put_off, times = unmatched(entries, delayed)
for _, id in ipairs(put_off) do
  mend(4, 'ZADD', delayed, text(math.max(now, read_entry(redis.call('HGET', entries, id)).due)), id)
end
for _, id in ipairs(times) do mend(5, 'ZREM', delayed, id) end

for _, key in ipairs({KEYS[5], KEYS[6]}) do
  if redis.call('PTTL', key) == -1 then mend(6, 'PEXPIRE', key, text(60 * SECOND)) end
end

-- More records than these aren't counted again, but they can't take less than each takes by itself.
local count, bytes = redis.call('ZCARD', KEYS[7]) + redis.call('ZCARD', KEYS[8]), 0
local counted = tonumber(redis.call('HGET', totals, 'recordBytes') or 0)
for _, index in ipairs(count <= at_most * 10 and {KEYS[7], KEYS[8]} or {}) do
  for _, member in ipairs(redis.call('ZRANGE', index, 0, -1)) do bytes = bytes + (string.match(member, '^%d+') or 0) end
end
if count > at_most * 10 then bytes = math.max(counted, count * LEAST_BYTES) end
if bytes ~= counted then mend(7, 'HSET', totals, 'recordBytes', text(bytes)) end

local sum = 0
for _, number in ipairs(mended) do sum = sum + number end
if sum > 0 then redis.call('HINCRBY', totals, 'repair', sum) end
mended[#mended + 1] = redis.call('HRANDFIELD', KEYS[10], at_most, 'WITHVALUES')
return mended
