-- Sends messages.
-- keys: clock bodies known bell queues
-- each: waiting
-- with: arguments clock bell
-- ARGV: the names of the queues, after their number; of each message queue's number, id, value, delay.
-- Answers '1' (stored) or '0' (known) for each. For messages that have no key and no group.
local names = list(argument)
local any_known = redis.call('ZCARD', KNOWN) > 0
local places, soonest, answers = {}, {}, {}
for i = given + 1, #ARGV, 4 do
  local q, id = tonumber(ARGV[i]), ARGV[i + 1]
  local known = any_known and redis.call('ZSCORE', KNOWN, id)
  if known and tonumber(known) > now or redis.call('HSETNX', BODIES, id, ARGV[i + 2]) == 0 then
    answers[#answers + 1] = '0'
  else
    local due = tick() + ARGV[i + 3]
    local line = places[q]
    if not line then
      line = {}
      places[q] = line
      soonest[q] = due
    elseif due < soonest[q] then
      soonest[q] = due
    end
    line[#line + 1] = due
    line[#line + 1] = id
    answers[#answers + 1] = '1'
  end
end
for q, line in pairs(places) do
  redis.call('SADD', QUEUES, names[q])
  redis.call('ZADD', WAITING(q), unpack(line))
  ring(names[q], soonest[q])
end
keep_clock()
return table.concat(answers)
