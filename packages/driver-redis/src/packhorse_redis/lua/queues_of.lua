-- On which queues messages are.
-- keys: bodies
-- with: message
-- ARGV: ids. Answers the name of the queue for each, nil where there is no message.
local names = redis.call('HMGET', BODIES, unpack(ARGV))
for i, value in ipairs(names) do
  if value then names[i] = queue_of(value) end
end
return names
