-- Reads jobs at the right of the list that are to be sorted by group, the one to be claimed first coming first.
-- KEYS: pending arrived   ARGV: at_most max_bytes
-- Returns each entry after a 1, or after a 0 the sha1 of one that is too large to be handed out; hardly more than
-- max_bytes are read in all, one entry after the other, as five hundred large ones would hold up everyone.
-- Atomic because a job that has woken a runner is put back first, and must not be seen in both places.
--@include entry
redis.call('LREM', KEYS[2], 1, '')  -- a first write that takes no memory, so that others may follow where it is full
while redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'RIGHT') do end
local out, bytes, max_bytes = {}, 0, tonumber(ARGV[2])
for i = 1, tonumber(ARGV[1]) do
  local raw = redis.call('LINDEX', KEYS[1], -i)
  if not raw or bytes > max_bytes then break end
  bytes = bytes + #raw
  if #raw > max_bytes and #read_entry(raw).payload > max_bytes then
    out[#out + 1], out[#out + 2] = 0, redis.sha1hex(raw)
  else
    out[#out + 1], out[#out + 2] = 1, raw
  end
end
return out
