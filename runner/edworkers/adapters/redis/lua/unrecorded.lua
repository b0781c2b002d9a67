-- Finds dead letters that are not in the ledger yet, the oldest first, for one runner at a time.
-- KEYS: dead ledger   ARGV: runner turn_ms at_most
-- `ledger` holds the `mark` up to which all are in, and whose turn it is `until` when. Returns Redis' time, then ids and
-- times; those that were buried in the same millisecond as the last one are all among them, however many were asked for.
-- Atomic because two runners that both had the turn would both write everything.
--@include record
even_when_full(KEYS[1])
local now = now_ms()
local mark, holder, till = unpack(redis.call('HMGET', KEYS[2], 'mark', 'holder', 'until'))
if holder and holder ~= ARGV[1] and tonumber(till) > now then return {now} end
local after = '(' .. (mark or '-1')
local found = redis.call('ZRANGEBYSCORE', KEYS[1], after, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
if #found == 0 then return {now} end
local last = found[#found]
found = redis.call('ZRANGEBYSCORE', KEYS[1], after, last, 'WITHSCORES')
redis.call('HSET', KEYS[2], 'holder', ARGV[1], 'until', text(now + ARGV[2]))
local out = {now}
for i = 1, #found, 2 do
  out[#out + 1], out[#out + 2] = string.match(found[i], '^%d+:(.*)$') or '', found[i + 1]
end
return out
