-- Forgets records beyond their retention: first by age, then by bytes, results before dead letters, the oldest first.
-- KEYS: finished dead cancel totals failures fingerprints   ARGV: result_ms dead_ms max_bytes at_most
-- A max_bytes above half of Redis' maxmemory is half of it. Where less than a twentieth of that memory is free, results
-- go before their time; dead letters don't, nor do results of the last minute, for whoever waits for one is to get it,
-- and a second push of its job is to be known.
-- Where no dead letter is left, none is counted by its cause: a runner of an earlier version may have let one go.
-- Returns how many dead letters went for want of bytes, how many results went for want of memory and the max_bytes that
-- held, then the ids whose records the caller is to delete: their keys can't be declared beforehand. If it dies before
-- that, they expire by themselves.
--@include record failures
local now, room, ids, squeezed, early = now_ms(), tonumber(ARGV[4]), {}, 0, 0
local section, MINUTE_MS = 'memory', 60000
local info = redis.pcall('INFO', section)
local function memory(name)
  return tonumber(type(info) == 'string' and string.match(info, '\n' .. name .. ':(%d+)') or 0)
end
local most, max_bytes = memory('maxmemory'), tonumber(ARGV[3])
if most > 0 then max_bytes = math.min(max_bytes, math.floor(most / 2)) end
local over = most > 0 and memory('used_memory') - memory('mem_not_counted_for_evict') - most * 0.95 or 0

local function forget(index, member)
  local bytes, id = string.match(member, '^(%d+):(.*)$')
  redis.call('ZREM', index, member)
  if bytes then
    redis.call('HINCRBY', KEYS[4], 'recordBytes', -bytes)
    ids[#ids + 1], over = id, over - bytes
    if index == KEYS[2] then uncount_failure(KEYS[5], KEYS[6], id) end
  end
  room = room - 1
end
for i, index in ipairs({KEYS[1], KEYS[2]}) do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', text(now - ARGV[i]), 'LIMIT', 0, room)) do
    forget(index, member)
  end
end
while room > 0 and tonumber(redis.call('HGET', KEYS[4], 'recordBytes') or 0) > max_bytes do
  local index = redis.call('EXISTS', KEYS[1]) == 1 and KEYS[1] or KEYS[2]
  local member = redis.call('ZRANGE', index, 0, 0)[1]
  if not member then break end
  if index == KEYS[2] then squeezed = squeezed + 1 end
  forget(index, member)
end
while room > 0 and over > 0 do
  local member = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now - MINUTE_MS), 'LIMIT', 0, 1)[1]
  if not member then break end
  early = early + 1
  forget(KEYS[1], member)
end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('DEL', KEYS[5], KEYS[6]) end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now - ARGV[2]))
return {squeezed, early, max_bytes, ids}
