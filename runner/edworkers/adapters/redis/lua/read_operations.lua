-- Reads bulk operations.
-- KEYS: each operation   ARGV: none
-- Atomic as one read of each; nothing depends on another.
local out = {}
for i, operation in ipairs(KEYS) do out[i] = redis.call('HGET', operation, 'body') end
return out
