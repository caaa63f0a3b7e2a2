-- Settles deliveries that are done and leave nothing, as most are, and any others.
-- keys: clock bodies known bell queues leases past marks keyholders windows heads line sent records
-- each: waiting leased parked dead
-- with: arguments clock bell places message keys groups marks ending entering
-- ARGV: the names of the queues, after their number; of each queue that has plain ones its number
-- and their tokens in one, after the number of such queues; of each other: done, dead, retry or return;
-- the queue's number, the token; for dead the record, for retry delay and value; for done and dead the
-- messages that follow, after their number: each one's queue's number, id, value, delay.
-- Answers '1' (applied) or '0' (gone) for each: the plain ones queue by queue, then the others.
local names = list(argument)
local answers = {}
local any_marks = redis.call('HLEN', MARKS) > 0

local function finish(q, tokens)
  local ids = {}
  for at = 1, #tokens, 24 do ids[#ids + 1] = string.sub(tokens, at, at + 15) end
  local current, seen = {}, {}
  for i, record in ipairs(redis.call('HMGET', LEASES, unpack(ids))) do
    local id, number = ids[i], string.sub(tokens, 24 * i - 7, 24 * i)
    if record and string.sub(record, 1, 8) == number and not seen[id] then
      seen[id] = true
      current[#current + 1] = id
      answers[#answers + 1] = '1'
    else
      answers[#answers + 1] = '0'
    end
  end
  if #current == 0 then return end
  redis.call('ZREM', LEASED(q), unpack(current))
  redis.call('HDEL', LEASES, unpack(current))
  redis.call('HDEL', BODIES, unpack(current))
  if any_marks then redis.call('HDEL', MARKS, unpack(current)) end
end

-- Ends a lease, if the token is current: the message's id, its old moment and its deliveries.
local function end_lease(q, token)
  local id = string.sub(token, 1, 16)
  local record = redis.call('HGET', LEASES, id)
  if not record or string.sub(record, 1, 8) ~= string.sub(token, 17) then return nil end
  redis.call('HDEL', LEASES, id)
  redis.call('ZREM', LEASED(q), id)
  local _, moment, deliveries = lease_of(record)
  return id, moment, deliveries
end

local function message()
  return {number(), argument(), argument(), number()}
end

local function follow(messages)
  for _, m in ipairs(messages) do
    redis.call('SADD', QUEUES, names[m[1]])
    enter(m[1], m[2], m[3], m[4])
  end
end

local function bury(q, id, record)
  let_go(q, id, redis.call('HGET', BODIES, id), false)
  redis.call('HSET', RECORDS, id, record)
  redis.call('ZADD', DEAD(q), tick(), id)
end

local function settle()
  local kind, q, token, record, delay, value, messages = argument(), number(), argument()
  if kind == 'dead' then record = argument() end
  if kind == 'retry' then delay, value = number(), argument() end
  if kind == 'done' or kind == 'dead' then messages = list(message) end
  local id, moment, deliveries = end_lease(q, token)
  if not id then return '0' end
  if messages then
    if kind == 'done' then
      forget(q, id, redis.call('HGET', BODIES, id), false)
    else
      bury(q, id, record)
    end
    follow(messages)
  else
    if kind == 'retry' then
      redis.call('HSET', BODIES, id, value)
      if any_marks and (marked(id, 'c') or marked(id, 's')) then delay = 0 end
      moment = tick() + delay
    elseif deliveries > 1 then
      redis.call('HSET', PAST, id, deliveries - 1)
    end
    redis.call('ZADD', WAITING(q), moment, id)
    ring(names[q], moment)
  end
  return '1'
end

for _ = 1, number() do finish(number(), argument()) end
local moved = given < #ARGV
while given < #ARGV do answers[#answers + 1] = settle() end
if moved then keep_clock() end
return table.concat(answers)
