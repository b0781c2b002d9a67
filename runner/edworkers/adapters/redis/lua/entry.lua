-- Part of other scripts: an entry's header, "\30<deliveries> <attempts> <due> <origin>\n"; the payload is never read.
local function read_entry(raw)
  if string.byte(raw, 1) == 30 then
    local deliveries, attempts, due, origin, at = string.match(raw, '^\30(%d+) (%d+) (%d+) ([!-~]+)\n()')
    -- The same bounds as the runner's, so that both see the same payload.
    if deliveries and #deliveries <= 9 and #attempts <= 9 and #due <= 15 and #origin <= 128 then
      return {deliveries = tonumber(deliveries), attempts = tonumber(attempts), due = tonumber(due),
              origin = origin, payload = string.sub(raw, at)}
    end
  end
  return {deliveries = 0, attempts = 0, due = 0, origin = '', payload = raw}
end

local function write_entry(entry)
  return string.format('\30%.0f %.0f %.0f ', entry.deliveries, entry.attempts, entry.due)
    .. entry.origin .. '\n' .. entry.payload
end
