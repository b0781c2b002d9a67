-- Forgets records beyond their retention: first by age, then by bytes, results before dead letters, the oldest first.
-- KEYS: finished dead cancel totals   ARGV: result_ms dead_ms max_bytes at_most
-- Returns how many dead letters went for want of room, then the ids whose records the caller is to delete: their keys
-- can't be declared beforehand. If it dies before that, they expire by themselves.
--@include record
local now, room, ids, squeezed = now_ms(), tonumber(ARGV[4]), {}, 0
local function forget(index, member)
  local bytes, id = string.match(member, '^(%d+):(.*)$')
  redis.call('ZREM', index, member)
  redis.call('HINCRBY', KEYS[4], 'recordBytes', -bytes)
  ids[#ids + 1], room = id, room - 1
end
for index, kept in pairs({[KEYS[1]] = ARGV[1], [KEYS[2]] = ARGV[2]}) do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', text(now - kept), 'LIMIT', 0, room)) do
    forget(index, member)
  end
end
while room > 0 and tonumber(redis.call('HGET', KEYS[4], 'recordBytes') or 0) > tonumber(ARGV[3]) do
  local index = redis.call('EXISTS', KEYS[1]) == 1 and KEYS[1] or KEYS[2]
  local member = redis.call('ZRANGE', index, 0, 0)[1]
  if not member then break end
  if index == KEYS[2] then squeezed = squeezed + 1 end
  forget(index, member)
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now - ARGV[2]))
return {squeezed, ids}
