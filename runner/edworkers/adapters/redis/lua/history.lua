-- Part of other scripts: what a job's record keeps of attempts that ended without it being done, and of its logs.
-- Attempts are numbered on through replays. The burial of a job is noted only when it is replayed: as long as it is
-- dead, its record tells it.
local MOST_PAST, MOST_LOG_BYTES = 20, 16384

-- `err` is JSON, or empty; `started_at` is false where it isn't known.
local function note_past(job, outcome, started_at, ended_at, err)
  local number = redis.call('HINCRBY', job, 'past', 1)
  redis.call('HSET', job, 'past:' .. number, '{"number":' .. number .. ',"outcome":"' .. outcome .. '","startedAt":'
    .. (started_at or 'null') .. ',"endedAt":' .. ended_at .. ',"error":' .. (err == '' and 'null' or err) .. '}')
  if number > MOST_PAST then redis.call('HDEL', job, 'past:' .. number - MOST_PAST) end
end

local function past_bytes(job)
  local last, bytes = tonumber(redis.call('HGET', job, 'past') or 0), 0
  for i = math.max(last - MOST_PAST, 0) + 1, last do bytes = bytes + redis.call('HSTRLEN', job, 'past:' .. i) end
  return bytes
end

-- Puts the log of an attempt behind those before it, both JSON arrays; of what is too much the oldest lines go. Inside
-- of a string a quote is escaped, so what begins a line can't be found there.
local function add_logs(job, logs)
  local before = redis.call('HGET', job, 'logs')
  if not before then return logs end
  local all = string.sub(before, 1, -2) .. ',' .. string.sub(logs, 2)
  if #all <= MOST_LOG_BYTES then return all end
  local at = string.find(all, '},{"at":', #all - MOST_LOG_BYTES, true)
  return at and '[' .. string.sub(all, at + 2) or logs
end
