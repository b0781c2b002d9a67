-- Notes up to when all dead letters are in the ledger, and gives up the turn to write them where it is no longer wanted.
-- KEYS: dead ledger   ARGV: runner mark (0 to leave it) is_over
-- Atomic because the turn of another runner must not be given up.
--@include record
even_when_full(KEYS[1])
if tonumber(ARGV[2]) > 0 then redis.call('HSET', KEYS[2], 'mark', text(ARGV[2])) end
if ARGV[3] == '1' and redis.call('HGET', KEYS[2], 'holder') == ARGV[1] then
  redis.call('HDEL', KEYS[2], 'holder', 'until')
end
