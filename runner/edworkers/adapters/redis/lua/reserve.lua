-- Takes up to `count` from every window of a limiter at once, or as many as the tightest of them allows.
-- KEYS: used rolling   ARGV: token count whole (1 for all or nothing) minute_limit (0 for none) #windows, then for each
--       calendar window: name limit and the bounds of three periods (start end start end start end), of which Redis'
--       clock picks one
-- Returns granted, retry_ms, the name of the window that is used up, and the fields of `used` that were counted.
-- Atomic because each window must be counted exactly however many runners ask at once.
--@include record
local now, granted, retry, blocker = now_ms(), tonumber(ARGV[2]), 0, ''
local least, minute, fields, ttl = ARGV[3] == '1' and granted or 1, tonumber(ARGV[4]), {}, 120000
local function allow(room, wait, name)
  if room < least and wait > retry then retry, blocker = wait, name end
  granted = room < least and 0 or math.min(granted, room)
end
even_when_full(KEYS[2])
if minute > 0 then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now - 60000))) do
    redis.call('ZREM', KEYS[2], member)
    redis.call('HINCRBY', KEYS[1], 'rolling', -string.match(member, ':(%d+)$'))
  end
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] or now
  allow(minute - (redis.call('HGET', KEYS[1], 'rolling') or 0), oldest + 60000 - now + 1, 'rolling')
end
for w = 0, tonumber(ARGV[5]) - 1 do
  local at, found = 6 + w * 8, false
  for p = at + 2, at + 6, 2 do
    if tonumber(ARGV[p]) <= now and now < tonumber(ARGV[p + 1]) then
      local field = ARGV[at] .. '@' .. ARGV[p]
      found, fields[#fields + 1], ttl = true, field, math.max(ttl, ARGV[p + 1] - now + 60000)
      allow(ARGV[at + 1] - (redis.call('HGET', KEYS[1], field) or 0), ARGV[p + 1] - now, ARGV[at])
    end
  end
  if not found then return redis.error_reply('CLOCK the clocks of this machine and of Redis differ by more than a day') end
end
if granted > 0 then
  for _, field in ipairs(fields) do redis.call('HINCRBY', KEYS[1], field, granted) end
  if minute > 0 then
    redis.call('ZADD', KEYS[2], text(now), ARGV[1] .. ':' .. granted)
    redis.call('HINCRBY', KEYS[1], 'rolling', granted)
  end
end
for _, field in ipairs(redis.call('HLEN', KEYS[1]) > 16 and redis.call('HKEYS', KEYS[1]) or {}) do
  if now - (string.match(field, '@(%d+)$') or now) > 5184000000 then redis.call('HDEL', KEYS[1], field) end
end
-- Both at once, for the one counts the other.
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, text(ttl)) end
return {granted, retry, blocker, fields}
