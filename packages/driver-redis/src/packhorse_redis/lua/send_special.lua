-- Sends messages of which some have a key, a group or a time for which their id stays known.
-- keys: clock bodies known bell queues leases marks keyholders windows heads line sent
-- each: waiting parked
-- with: arguments clock bell message keys groups marks entering
-- ARGV: the names of the queues, after their number; of each message queue's number, id, value, delay.
-- Answers a letter for each (see entering), and the ids of those that are meant by 't' and 's'.
local names = list(argument)
local answers, others = {}, {}
while given < #ARGV do
  local q = number()
  redis.call('SADD', QUEUES, names[q])
  local answer, other = enter(q, argument(), argument(), number())
  answers[#answers + 1] = answer
  if other then others[#others + 1] = other end
end
keep_clock()
return {table.concat(answers), others}
