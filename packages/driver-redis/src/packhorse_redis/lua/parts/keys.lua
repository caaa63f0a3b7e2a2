-- Unique keys. KEYHOLDERS is a hash: of each key of a queue, who holds it, when its run of replacements
-- began, the end of its window, and whether the holder lives or only its window holds the key on. Of
-- those, WINDOWS knows the ends, so that they can be swept out.
local function place_of(queue, key)
  return #queue .. ':' .. queue .. key
end

-- Who holds a key, nil if nobody does.
local function held(place)
  local packed = redis.call('HGET', KEYHOLDERS, place)
  if not packed then return nil end
  local held = cmsgpack.unpack(packed)
  if held[4] == 0 and held[3] <= now then return nil end
  return held
end

local function hold(place, id, first, window)
  redis.call('HSET', KEYHOLDERS, place, cmsgpack.pack({id, first, now + span(window), 1}))
end

-- Lets go of a message's key, if it is this one that holds it; a window holds it on.
local function free(place, id)
  local holder = held(place)
  if not holder or holder[4] == 0 or holder[1] ~= id then return end
  if holder[3] <= now then
    redis.call('HDEL', KEYHOLDERS, place)
  else
    holder[4] = 0
    redis.call('HSET', KEYHOLDERS, place, cmsgpack.pack(holder))
    redis.call('ZADD', WINDOWS, holder[3], place)
  end
  for _, over in ipairs(redis.call('ZRANGEBYSCORE', WINDOWS, '-inf', now, 'LIMIT', 0, 10)) do
    redis.call('ZREM', WINDOWS, over)
    if not held(over) then redis.call('HDEL', KEYHOLDERS, over) end
  end
end
