-- Marks of messages. MARKS is a hash of letters by id: c cancelled, s superseded, g left its group.
local function mark(id, letters)
  redis.call('HSET', MARKS, id, (redis.call('HGET', MARKS, id) or '') .. letters)
end

local function marked(id, letter)
  local letters = redis.call('HGET', MARKS, id)
  return letters and string.find(letters, letter, 1, true) ~= nil
end

-- Marks a message and makes it due now, unless it is leased; one that was parked leaves its group.
local function hasten(q, id, letter)
  if redis.call('HEXISTS', LEASES, id) == 1 then
    mark(id, letter)
    return 'leased'
  end
  local due = redis.call('ZSCORE', PARKED(q), id)
  if due then
    local value = redis.call('HGET', BODIES, id)
    unpark(q, queue_of(value), more_of(value).group, id)
    letter = letter .. 'g'
    redis.call('ZADD', WAITING(q), math.min(tonumber(due), tick()), id)
  else
    due = redis.call('ZSCORE', WAITING(q), id)
    if not due then return 'gone' end
    if tonumber(due) > now then redis.call('ZADD', WAITING(q), tick(), id) end
  end
  mark(id, letter)
  return 'marked'
end
