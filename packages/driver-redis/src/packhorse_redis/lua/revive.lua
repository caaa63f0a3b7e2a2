-- Makes dead messages wait again.
-- keys: clock bodies bell queues leases marks keyholders windows heads line sent records
-- each: waiting parked dead
-- with: arguments clock bell message keys groups marks
-- ARGV: the names of the queues, after their number; of each message the number of the queue where it
-- is dead, of the one where it shall wait, id, value, delay.
-- Answers a letter for each ('1' stored, '0' not dead, 't' taken), and the ids of who holds the keys.
local names = list(argument)
local answers, others = {}, {}

local function revive(from, q, id, value, delay)
  if not redis.call('ZSCORE', DEAD(from), id) then return '0' end
  local more, queue = more_of(value) or {}, names[q]
  if more.key then
    local place = place_of(queue, more.key)
    local holder = held(place)
    if holder and holder[1] ~= id then
      others[#others + 1] = holder[1]
      return 't'
    end
    hold(place, id, now, more.window)
  end
  redis.call('ZREM', DEAD(from), id)
  redis.call('HDEL', RECORDS, id)
  redis.call('HDEL', MARKS, id)
  redis.call('HSET', BODIES, id, value)
  redis.call('SADD', QUEUES, queue)
  local due = tick() + delay
  if more.group then
    redis.call('HSET', SENT, id, now)
    join(q, queue, more.group, id, due)
  else
    redis.call('ZADD', WAITING(q), due, id)
    ring(queue, due)
  end
  return '1'
end

while given < #ARGV do
  answers[#answers + 1] = revive(number(), number(), argument(), argument(), number())
end
keep_clock()
return {table.concat(answers), others}
