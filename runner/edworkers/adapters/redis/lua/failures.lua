-- Part of other scripts: dead jobs counted by the cause of their failure. record.lua comes before it.
-- `fingerprints` says of which cause each was; by it a record that is gone is still counted off. Jobs that were buried
-- before there were fingerprints aren't counted.
local function uncount_failure(failures, fingerprints, id)
  local fingerprint = redis.call('HGET', fingerprints, id)
  if not fingerprint then return end
  redis.call('HDEL', fingerprints, id)
  local count, rest = string.match(redis.call('HGET', failures, fingerprint) or '', '^(%d+)( .*)$')
  if count and tonumber(count) > 1 then
    redis.call('HSET', failures, fingerprint, text(count - 1) .. rest)
  else
    redis.call('HDEL', failures, fingerprint)
  end
end

-- `cause` is the kind and message of this failure, which is the latest of its cause by now.
local function count_failure(failures, fingerprints, id, fingerprint, now, cause)
  uncount_failure(failures, fingerprints, id)
  if fingerprint == '' then return end
  redis.call('HSET', fingerprints, id, fingerprint)
  local count, first = string.match(redis.call('HGET', failures, fingerprint) or '', '^(%d+) (%d+) ')
  local at = text(now)
  redis.call('HSET', failures, fingerprint, text((count or 0) + 1) .. ' ' .. (first or at) .. ' ' .. at .. ' ' .. cause)
end
