-- Shows messages of one queue.
-- keys: clock bodies leases past marks records
-- each: waiting leased parked dead
-- with: clock places showing
-- ARGV: ids. Answers what `show` tells of each.
local shown = {}
for i, id in ipairs(ARGV) do shown[i] = show(1, id) or false end
return shown
