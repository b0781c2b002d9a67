-- Reads jobs that wait in the lines of their groups, line after line.
-- KEYS: pending arrived fair   ARGV: after (a bound of ZRANGEBYLEX) count most_bytes max_bytes cut needles…
-- Returns how many wait in all, how many were looked at and their bytes, the group and place of the last (empty where
-- there is no more), then size and bytes of each member that has the needles: of one larger than max_bytes only its
-- beginning. Hardly more than most_bytes are read.
-- Atomic because a job that goes from the list to its line must not be counted twice.
--@include needles
local count, most_bytes, max_bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local out, found, bytes, most, after = {}, 0, 0, 4, ARGV[1]

-- The group and place of a member, and its entry; one that somebody else put there has neither.
local function split(member)
  local head, entry = string.match(member, '^([^%z]*%z%d+)%z(.*)$')
  return head or string.sub(member, 1, 512), entry or member
end

local last = ''
while found < count and (found == 0 or bytes < most_bytes) do
  local members = redis.call('ZRANGEBYLEX', KEYS[3], after, '+', 'LIMIT', 0, math.min(most, count - found))
  for _, member in ipairs(members) do
    found, bytes, last = found + 1, bytes + #member, member
    local _, entry = split(member)
    if is_sent(entry, 6) then
      out[#out + 1], out[#out + 2] = #member, #member > max_bytes and string.sub(member, 1, tonumber(ARGV[5])) or member
    end
    if bytes >= most_bytes then break end
  end
  if #members == 0 then break end
  most, after = math.max(1, math.min(500, math.floor((most_bytes - bytes) / (bytes + 1) * found))), '(' .. last
end
local has_more = found > 0 and redis.call('ZRANGEBYLEX', KEYS[3], '(' .. last, '+', 'LIMIT', 0, 1)[1]
local total = redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3])
return {total, found, bytes, has_more and split(last) or '', unpack(out)}
