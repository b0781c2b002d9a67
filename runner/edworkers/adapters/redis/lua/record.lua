-- Part of other scripts: the records of finished jobs, whose bytes are counted so that they can be bounded.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number)
  return string.format('%.0f', number)
end

-- Where memory is full, Redis refuses a script whose first write may take some. After one that can't, all may write.
local function even_when_full(zset)
  redis.call('ZREM', zset, '')
end

-- Makes calls of many words; Lua can't pass more than some 8000 at once.
local function in_parts(words, call)
  for i = 1, #words, 4000 do call(unpack(words, i, math.min(i + 3999, #words))) end
end

-- A record outlives its place in `finished` or `dead`, so that the one who trims these finds it.
local RECORD_GRACE_MS = 86400000

-- Lists a finished job's record in `index` (finished or dead).
local function keep(index, totals, job, id, bytes, now, milliseconds)
  redis.call('HSET', job, 'bytes', bytes)
  redis.call('PEXPIRE', job, text(milliseconds + RECORD_GRACE_MS))
  redis.call('ZADD', index, text(now), bytes .. ':' .. id)
  redis.call('HINCRBY', totals, 'recordBytes', bytes)
end

local function unkeep(index, totals, job, id)
  local bytes = redis.call('HGET', job, 'bytes')
  if bytes and redis.call('ZREM', index, bytes .. ':' .. id) == 1 then
    redis.call('HINCRBY', totals, 'recordBytes', -bytes)
  end
end

local function free_unique(unique, key, id)
  if key and key ~= '' and redis.call('HGET', unique, key) == id then
    redis.call('HDEL', unique, key)
  end
end
