-- Ends leases of a worker that is gone.
-- keys: clock leases past bell
-- each: waiting leased
-- with: arguments clock bell places
-- ARGV: the queue's name; of each lease its token, and 1 if it is blamed.
-- Answers how many it ended.
local queue, ended = argument(), 0
while given < #ARGV do
  local token, blamed = argument(), number()
  local id = string.sub(token, 1, 16)
  local record = redis.call('HGET', LEASES, id)
  if record and string.sub(record, 1, 8) == string.sub(token, 17) then
    local _, moment, deliveries = lease_of(record)
    redis.call('HDEL', LEASES, id)
    redis.call('ZREM', LEASED(1), id)
    if blamed == 1 then
      moment = moment - FIRST
    else
      deliveries = deliveries - 1
    end
    if deliveries > 0 then redis.call('HSET', PAST, id, deliveries) end
    redis.call('ZADD', WAITING(1), moment, id)
    ring(queue, moment)
    ended = ended + 1
  end
end
keep_clock()
return ended
