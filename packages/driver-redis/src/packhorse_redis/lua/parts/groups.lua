-- Groups: the head of each stands in the line of its queue, the others are parked behind it. HEADS is a
-- hash of the heads' ids; LINE a sorted set of the parked, in which a group's are neighbours in the
-- order of sending; SENT a hash of that order. The parked of a queue stand by their moment in PARKED.
local function group_of(queue, group)
  return redis.sha1hex(#queue .. ':' .. queue .. group)
end

local function link(group, id)
  local sent = tonumber(redis.call('HGET', SENT, id) or 0)
  return group .. string.format('%016.0f', sent) .. id
end

-- Lets a message wait at its moment if it is the head of its group, and parks it if it is not.
local function join(q, queue, group, id, due)
  group = group_of(queue, group)
  if redis.call('HSETNX', HEADS, group, id) == 1 or redis.call('HGET', HEADS, group) == id then
    redis.call('ZADD', WAITING(q), due, id)
    ring(queue, due)
  else
    redis.call('ZADD', PARKED(q), due, id)
    redis.call('ZADD', LINE, 0, link(group, id))
  end
end

-- Takes a parked message out of its group.
local function unpark(q, queue, group, id)
  redis.call('ZREM', LINE, link(group_of(queue, group), id))
  redis.call('ZREM', PARKED(q), id)
  redis.call('HDEL', SENT, id)
end

-- Lets the next of a group come, in place of a head that is gone.
local function succeed(q, queue, group)
  group = group_of(queue, group)
  local first = redis.call('ZRANGEBYLEX', LINE, '[' .. group, '(' .. group .. '\255', 'LIMIT', 0, 1)[1]
  if not first then
    redis.call('HDEL', HEADS, group)
    return
  end
  local id = string.sub(first, 57)
  local due = tonumber(redis.call('ZSCORE', PARKED(q), id))
  redis.call('ZREM', LINE, first)
  redis.call('ZREM', PARKED(q), id)
  redis.call('HSET', HEADS, group, id)
  redis.call('ZADD', WAITING(q), due, id)
  ring(queue, due)
end
