-- Reads jobs at the right of the list that are to be sorted by group, the one to be claimed first coming first.
-- KEYS: pending arrived   ARGV: at_most max_bytes
-- Returns each entry, or the sha1 of one that is too large to be handed out, after a 0; not much more than max_bytes.
-- Atomic because a job that has woken a runner is put back first, and must not be seen in both places.
--@include entry
redis.call('LREM', KEYS[2], 1, '')  -- a first write that takes no memory, so that others may follow where it is full
while redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'RIGHT') do end
local out, bytes, raws = {}, 0, redis.call('LRANGE', KEYS[1], -ARGV[1], -1)
for i = #raws, 1, -1 do
  local raw = raws[i]
  if #raw > tonumber(ARGV[2]) and #read_entry(raw).payload > tonumber(ARGV[2]) then
    out[#out + 1], out[#out + 2] = 0, redis.sha1hex(raw)
  else
    out[#out + 1], out[#out + 2], bytes = 1, raw, bytes + #raw
  end
  if bytes > tonumber(ARGV[2]) then break end
end
return out
