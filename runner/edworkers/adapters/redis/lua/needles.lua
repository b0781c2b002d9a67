-- Part of other scripts: whether bytes have some texts in them, which the caller gives in small letters as its last
-- ARGV. A look at many jobs that finds few saves the way to the server; what is found here is looked at there again.
local function has_all(raw, first)
  if first > #ARGV then return true end
  local low = string.lower(raw)
  for i = first, #ARGV do
    if not string.find(low, ARGV[i], 1, true) then return false end
  end
  return true
end

-- One that was put off may have an error that its bytes don't name, and is always sent.
local function is_sent(raw, first)
  return string.byte(raw, 1) == 30 or has_all(raw, first)
end
