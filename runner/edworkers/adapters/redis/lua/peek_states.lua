-- Reads the states of jobs, to find the few that are in one of them.
-- KEYS: the record of each job   ARGV: none
-- Atomic as one read of each; nothing depends on another.
local out = {}
for i, job in ipairs(KEYS) do out[i] = redis.call('HGET', job, 'state') end
return out
