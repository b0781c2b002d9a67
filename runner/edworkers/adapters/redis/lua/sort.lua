-- Moves jobs from the right of the list to the lines of their groups, from which they are claimed in turn.
-- KEYS: pending fair turns shares fairness grouped running shut   ARGV: group_max, then for each job: sha1 group
-- The caller has read the list and found the groups. Each job is held against what it read, by content: whoever comes
-- second, or repeats a call, moves nothing that it hasn't read, and what has the same content has the same group.
-- Atomic because a job must not be in both places, nor in none.
local K, A = {fair = KEYS[2], turns = KEYS[3], shares = KEYS[4], fairness = KEYS[5], grouped = KEYS[6],
              running = KEYS[7], shut = KEYS[8]}, {group_max = tonumber(ARGV[1])}
--@include record groups
local moved = 0
for i = 2, #ARGV, 2 do
  local raw = redis.call('LINDEX', KEYS[1], -1)
  if not raw or redis.sha1hex(raw) ~= ARGV[i] then break end
  redis.call('RPOP', KEYS[1])
  join_line(ARGV[i + 1], raw)
  moved = moved + 1
end
return moved
