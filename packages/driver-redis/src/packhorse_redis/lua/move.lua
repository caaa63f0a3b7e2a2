-- Moves messages that wait, are delayed or parked to another queue; keys go along, groups are joined.
-- keys: clock bodies leases marks keyholders windows bell queues heads line sent
-- each: waiting parked
-- with: clock bell message keys groups marks
-- ARGV: the name of the queue they are on; that of the other; ids.
-- Answers how many went.
local from, to, moved = ARGV[1], ARGV[2], 0

-- Gives a message its key on the other queue; false if somebody has it there.
local function move_key(id, key)
  local place = place_of(from, key)
  local holder = held(place)
  if not holder or holder[4] == 0 or holder[1] ~= id then return true end
  local other = place_of(to, key)
  local rival = held(other)
  if rival and rival[1] ~= id then return false end
  redis.call('HDEL', KEYHOLDERS, place)
  redis.call('HSET', KEYHOLDERS, other, cmsgpack.pack(holder))
  return true
end

-- The value of a message with the other queue's name.
local function renamed(value)
  local flags = string.byte(value) - string.byte(value) % 64
  local head = string.char(flags + math.floor(#to / 256), #to % 256)
  return head .. to .. string.sub(value, 3 + #from)
end

local function go(id)
  local value = redis.call('HGET', BODIES, id)
  if not value or queue_of(value) ~= from or redis.call('HEXISTS', LEASES, id) == 1 then return end
  local parked = redis.call('ZSCORE', PARKED(1), id)
  local due = parked or redis.call('ZSCORE', WAITING(1), id)
  if not due then return end
  local more = more_of(value) or {}
  if more.key and not move_key(id, more.key) then return end
  redis.call('HSET', BODIES, id, renamed(value))
  due = tonumber(due)
  moved = moved + 1
  if not more.group or marked(id, 'g') then
    redis.call('ZREM', WAITING(1), id)
    redis.call('ZADD', WAITING(2), due, id)
    ring(to, due)
    return
  end
  local sent = redis.call('HGET', SENT, id)
  if parked then
    unpark(1, from, more.group, id)
  else
    redis.call('ZREM', WAITING(1), id)
    succeed(1, from, more.group)
  end
  redis.call('HSET', SENT, id, sent)
  join(2, to, more.group, id, due)
end

local ids = {}
for i = 3, #ARGV do
  local sent = tonumber(redis.call('HGET', SENT, ARGV[i]) or 0)
  ids[#ids + 1] = {sent, ARGV[i]}
end
table.sort(ids, function(a, b) return a[1] < b[1] end)
for _, pair in ipairs(ids) do go(pair[2]) end
if moved > 0 then redis.call('SADD', QUEUES, to) end
keep_clock()
return moved
