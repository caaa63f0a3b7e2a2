-- Wakes workers. BELL is a hash: for each queue on which somebody sleeps, until when at the latest.
-- Whoever hears looks, and goes to sleep under a new entry; so a rush of messages is told once.
local function ring(queue, due)
  local slept = redis.call('HGET', BELL, queue)
  if slept and due < tonumber(slept) then
    redis.call('HDEL', BELL, queue)
    redis.call('PUBLISH', BELL .. ':' .. queue, '')
  end
end
