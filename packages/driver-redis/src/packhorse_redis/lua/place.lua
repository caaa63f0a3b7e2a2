-- Where a message stands on its queue.
-- keys: clock
-- each: waiting leased parked dead
-- with: clock
-- ARGV: id; state. Answers its score, nil if it is not in that state.
local state = ARGV[2]
local line = ({leased = LEASED, parked = PARKED, dead = DEAD})[state] or WAITING
local score = redis.call('ZSCORE', line(1), ARGV[1])
if not score then return false end
local due = tonumber(score) <= now
if (state == 'waiting' and not due) or (state == 'delayed' and due) then return false end
return score
