-- The clock of a slot, in microseconds. CLOCK is a hash: the last moment that was handed out, and by
-- how much the clock is ahead of TIME. It never runs back: where TIME stands a little behind the last
-- moment it waits for TIME, and where TIME was set back it goes on from there, ahead of it.
local TIME = redis.call('TIME')
local wall = TIME[1] * 1000000 + TIME[2]
local kept = redis.call('HMGET', CLOCK, 'last', 'ahead')
local ahead = tonumber(kept[2] or 0)
local now = wall + ahead
local last = tonumber(kept[1] or 0)
if now < last then
  if last - now > 1000000 then ahead = last - wall end
  now = last
end

-- A moment that nobody has had before: it is the order of sending.
local function tick()
  now = now + 1
  return now
end

-- Writes down what was handed out; once, at the end of every script that changed anything.
local function keep_clock()
  redis.call('HSET', CLOCK, 'last', now, 'ahead', ahead)
end
