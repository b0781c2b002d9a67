-- Adds a piece to the text that a handler writes, if the receipt still holds its job.
-- KEYS: text lease   ARGV: receipt call restart piece max_bytes max_pieces kept_ms
-- With restart 1 the text begins anew. Its entries go and its ids go on, so that who knows the text up to some id hears
-- of it. An entry has the fields t, the piece, c, the call that wrote it, and n, how many bytes were written up to it;
-- the first one has restart, too. The piece that goes beyond max_bytes is cut, and none follows after it.
-- Atomic because a runner that lost the job must not write into another's text.
-- Safe to repeat with the same call: a runner writes one piece of a text at a time.
--@include record
local receipt, call, restart, piece, max_bytes = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4], tonumber(ARGV[5])
if not redis.call('ZSCORE', KEYS[2], receipt) then return 0 end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'count', 1)[1]
local written, bytes = last and last[2] or {}, 0
if written[4] == call then return 1 end
even_when_full(KEYS[2])
if restart then
  if last then redis.call('XTRIM', KEYS[1], 'maxlen', 0) end
else
  bytes = tonumber(written[6] or 0)
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  if bytes >= max_bytes or redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[6]) then return 1 end
end
local all, room = text(bytes + #piece), max_bytes - bytes
if #piece > room then
  while room > 0 and math.floor(string.byte(piece, room + 1) / 64) == 2 do room = room - 1 end
  piece = string.sub(piece, 1, room)
end
if restart then
  redis.call('XADD', KEYS[1], '*', 't', piece, 'c', call, 'n', all, 'restart', '1')
else
  redis.call('XADD', KEYS[1], '*', 't', piece, 'c', call, 'n', all)
end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return 1
