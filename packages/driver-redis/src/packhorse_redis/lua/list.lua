-- Shows a page of a queue's messages of one state, by their moment; dead ones newest first.
-- keys: clock bodies leases past marks records
-- each: waiting leased parked dead
-- with: clock places showing
-- ARGV: state; how many; where the page before ended: its last id, its score (empty: nowhere), and 1 if
-- what has that score on this queue is still to come.
-- Answers of each: id, score, and what `show` tells.
local state, limit, last, score, still = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5] == '1'
local line = ({leased = LEASED, parked = PARKED, dead = DEAD})[state] or WAITING
line = line(1)
local back = state == 'dead'

-- How many stand before the page.
local function before()
  if score == '' then return 0 end
  local rank = redis.call(back and 'ZREVRANK' or 'ZRANK', line, last)
  if rank then return rank + 1 end
  local bound = still and '(' .. score or score
  if back then return redis.call('ZCOUNT', line, bound, '+inf') end
  return redis.call('ZCOUNT', line, '-inf', bound)
end

local due = redis.call('ZCOUNT', line, '-inf', now)
local start, stop = before(), redis.call('ZCARD', line)
if state == 'waiting' then stop = due end
if state == 'delayed' then start = math.max(start, due) end
stop = math.min(stop, start + limit)
local page = {}
if start < stop then
  local range = back and 'ZREVRANGE' or 'ZRANGE'
  local found = redis.call(range, line, start, stop - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    page[#page + 1] = {found[i], found[i + 1], show(1, found[i]) or false}
  end
end
return page
