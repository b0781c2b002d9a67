-- Reads what lists of jobs show of their records.
-- KEYS: the record of each job   ARGV: max_bytes cut needles…
-- Returns of each its fields and its payload, of one larger than max_bytes the beginning; nothing of one that hasn't
-- the needles in its key, its fields or its payload.
-- Atomic because a payload must not grow between the look at its size and that at its bytes.
--@include needles
local out = {}
for i, job in ipairs(KEYS) do
  local record = redis.call('HMGET', job, 'state', 'type', 'attempts', 'queuedAt', 'startedAt', 'finishedAt', 'seconds',
                            'fingerprint', 'error', 'payload')
  local payload = record[10] or ''
  local named = {job, record[2] or '', record[8] or '', record[9] or '', payload}
  if #ARGV > 2 and not has_all(table.concat(named, '\n'), 3) then
    out[i] = false
  else
    local is_large = #payload > tonumber(ARGV[1])
    record[10], record[11] = #payload, is_large and string.sub(payload, 1, tonumber(ARGV[2])) or payload
    out[i] = record
  end
end
return out
