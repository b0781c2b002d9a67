-- Puts what lies in the outbox and is no follow-up job among the dead letters.
-- KEYS: outbox dead totals failures fingerprints job   ARGV: item id error dead_ms fingerprint cause
-- Atomic because it must be in one of both places; safe to repeat, and for two at once, as it then isn't in the outbox.
--@include record failures
local job, now = KEYS[6], now_ms()
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
unkeep(KEYS[2], KEYS[3], job, ARGV[2])
redis.call('HSET', job, 'state', 'dead', 'queuedAt', text(now), 'finishedAt', text(now), 'error', ARGV[3],
           'payload', ARGV[1], 'fingerprint', ARGV[5])
keep(KEYS[2], KEYS[3], job, ARGV[2], #ARGV[1] + #ARGV[2] + #ARGV[3] + 300, now, tonumber(ARGV[4]))
count_failure(KEYS[4], KEYS[5], ARGV[2], ARGV[5], now, ARGV[6])
redis.call('HINCRBY', KEYS[3], 'repair', 1)
return 1
