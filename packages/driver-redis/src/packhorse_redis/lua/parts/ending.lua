-- How a message ends. What it leaves: its key, its place in its group, and its id for as long as it
-- asked. KNOWN is a sorted set of ids, by the moment until which each is known.
local function remember(id, once)
  redis.call('ZADD', KNOWN, now + span(once), id)
  local over = redis.call('ZRANGEBYSCORE', KNOWN, '-inf', now, 'LIMIT', 0, 10)
  if #over > 0 then redis.call('ZREM', KNOWN, unpack(over)) end
end

-- Lets a message that is out of its line go of its key and its group.
local function let_go(q, id, value, parked)
  local more = more_of(value)
  if not more then return nil end
  local queue = queue_of(value)
  if more.key then free(place_of(queue, more.key), id) end
  if more.group and not marked(id, 'g') then
    if parked then
      unpark(q, queue, more.group, id)
    else
      redis.call('HDEL', SENT, id)
      succeed(q, queue, more.group)
    end
  end
  return more
end

-- Forgets a message that is out of its line.
local function forget(q, id, value, parked)
  local more = let_go(q, id, value, parked)
  if more and more.once > 0 then remember(id, more.once) end
  redis.call('HDEL', BODIES, id)
  redis.call('HDEL', MARKS, id)
  redis.call('HDEL', PAST, id)
end
