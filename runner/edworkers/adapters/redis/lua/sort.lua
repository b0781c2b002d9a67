-- Moves jobs from the right of the list to the lines of their groups, from which they are claimed in turn.
-- KEYS: pending fair turns shares fairness grouped running shut circuits
-- ARGV: group_max failures, then for each job: sha1 group
-- The caller has read the list and found the groups. Each job is held against what it read, by content: whoever comes
-- second, or repeats a call, moves nothing that it hasn't read, and what has the same content has the same group.
-- Atomic because a job must not be in both places, nor in none.
local K, A = {fair = KEYS[2], turns = KEYS[3], shares = KEYS[4], fairness = KEYS[5], grouped = KEYS[6],
              running = KEYS[7], shut = KEYS[8], circuits = KEYS[9]},
             {group_max = tonumber(ARGV[1]), failures = tonumber(ARGV[2])}
--@include record bounds groups
local raws, moved, groups = redis.call('LRANGE', KEYS[1], -(#ARGV - 2) / 2, -1), 0, {}
for i = 3, #ARGV, 2 do
  local raw = raws[#raws - moved]
  if not raw or redis.sha1hex(raw) ~= ARGV[i] then break end
  moved = moved + 1
end
if moved == 0 then return 0 end
check_places()
redis.call('RPOP', KEYS[1], moved)
local place = redis.call('HINCRBY', K.fairness, 'places', moved) - moved
for i = 1, moved do
  local group = ARGV[2 + 2 * i]
  put_in_line(group, raws[#raws - i + 1], place + i)
  groups[group] = true
end
for group in pairs(groups) do line_up(group) end
return moved
