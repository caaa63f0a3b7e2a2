-- How a message comes to its queue. The answer is '1' stored, '0' known, 't' taken or 's' stored in
-- place of another; the last two with the other's id.
local function is_known(id)
  local until_ = redis.call('ZSCORE', KNOWN, id)
  return until_ and tonumber(until_) > now
end

-- Lets a message with a key or a group wait, when it has got its key.
local function settle_in(q, id, queue, more, due)
  if more.group then
    redis.call('HSET', SENT, id, now)
    join(q, queue, more.group, id, due)
  else
    redis.call('ZADD', WAITING(q), due, id)
    ring(queue, due)
  end
end

local function enter(q, id, value, delay)
  if is_known(id) then return '0' end
  local more = more_of(value)
  if not more then
    if redis.call('HSETNX', BODIES, id, value) == 0 then return '0' end
    local due = tick() + delay
    redis.call('ZADD', WAITING(q), due, id)
    ring(queue_of(value), due)
    return '1'
  end
  if redis.call('HEXISTS', BODIES, id) == 1 then return '0' end
  local queue, first, other = queue_of(value), now, nil
  if more.key then
    local place = place_of(queue, more.key)
    local holder = held(place)
    if holder then
      local stays = holder[4] == 0 or redis.call('HEXISTS', LEASES, holder[1]) == 1
      if more.replace == 0 or stays or marked(holder[1], 'c') then return 't', holder[1] end
      hasten(q, holder[1], 's')
      ring(queue, now)
      first, other = holder[2], holder[1]
    end
    hold(place, id, first, more.window)
  end
  local due = tick() + delay
  if more.max_wait then due = math.max(now, math.min(due, first + span(more.max_wait))) end
  redis.call('HSET', BODIES, id, value)
  settle_in(q, id, queue, more, due)
  return other and 's' or '1', other
end
