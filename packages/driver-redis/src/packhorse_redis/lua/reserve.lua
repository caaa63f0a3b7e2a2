-- Reserves messages of some queues, in the order of preference.
-- keys: clock bodies leases past marks keyholders windows paused bell
-- each: waiting leased
-- with: clock places message keys
-- ARGV: limit; lease in microseconds; 8 bytes that name this reservation; the worker; for how long it
-- sleeps if there is nothing, 0 if it does not; the names of the queues.
-- Answers TIME; when more falls due, from now, -1 if that is not known; when a pause ends, likewise;
-- the paused; and of each queue that gave any: its number, the ids in one, the values, and of those
-- with marks or more than one delivery: place in the list, deliveries, marks.
local limit, lease, number, worker = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local sleep = tonumber(ARGV[5])
local first_time = ' 1 ' .. worker
local due, resumes, paused = nil, nil, {}
local any_paused = redis.call('HLEN', PAUSED) > 0
local reply = {wall, -1, -1, paused}
local left, changed = limit, false

local function sooner(a, b)
  b = tonumber(b)
  if a and a < b then return a end
  return b
end

local function is_paused(queue)
  local ends = redis.call('HGET', PAUSED, queue)
  if not ends then return false end
  if ends ~= '' then
    if tonumber(ends) <= now then
      redis.call('HDEL', PAUSED, queue)
      return false
    end
    resumes = sooner(resumes, ends)
  end
  paused[#paused + 1] = queue
  return true
end

-- Takes what has lost its lease, with what else goes before all others, each at its old place.
local function take_first(q, ids, places, past)
  local ended = redis.call('ZRANGEBYSCORE', LEASED(q), '-inf', now, 'LIMIT', 0, math.max(left, 100))
  if #ended == 0 then return end
  local found = {}
  for i, record in ipairs(redis.call('HMGET', LEASES, unpack(ended))) do
    if record then
      local _, moment, deliveries = lease_of(record)
      found[#found + 1] = {moment, ended[i], deliveries}
    else -- somebody has removed keys by hand
      redis.call('ZREM', LEASED(q), ended[i])
    end
  end
  local others = redis.call('ZRANGEBYSCORE', WAITING(q), '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, left)
  for i = 1, #others, 2 do found[#found + 1] = {moment_of(others[i + 1]), others[i]} end
  table.sort(found, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for i = 1, math.min(left, #found) do
    places[i], ids[i], past[i] = string.format('%.0f', found[i][1]), found[i][2], found[i][3]
    if not past[i] then redis.call('ZREM', WAITING(q), ids[i]) end
  end
end

-- Takes what is due.
local function take_due(q, ids, places)
  local found = redis.call(
    'ZRANGEBYSCORE', WAITING(q), '-inf', now, 'WITHSCORES', 'LIMIT', 0, left - #ids
  )
  if #found == 0 then return end
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
    places[#places + 1] = found[i + 1]
  end
  redis.call('ZREMRANGEBYRANK', WAITING(q), 0, #found / 2 - 1)
end

-- Adds how often what was given back had been delivered, where that is not never.
local function add_past(ids, past)
  if redis.call('HLEN', PAST) == 0 then return end
  for i, deliveries in ipairs(redis.call('HMGET', PAST, unpack(ids))) do
    if deliveries then past[i] = tonumber(deliveries) end
  end
  redis.call('HDEL', PAST, unpack(ids))
end

-- What is to be told of some of these messages beside their ids and values.
local function facts_of(ids, past)
  local facts, marks = {}, {}
  if redis.call('HLEN', MARKS) > 0 then marks = redis.call('HMGET', MARKS, unpack(ids)) end
  for i in ipairs(ids) do
    if past[i] or marks[i] then
      facts[#facts + 1] = i
      facts[#facts + 1] = (past[i] or 0) + 1
      facts[#facts + 1] = marks[i] or ''
    end
  end
  return facts
end

local function take(q)
  local ids, places, past = {}, {}, {}
  take_first(q, ids, places, past)
  if #ids < left then take_due(q, ids, places) end
  if #ids == 0 then return end
  add_past(ids, past)
  local ends, records = {}, {}
  for i, id in ipairs(ids) do
    ends[2 * i - 1], ends[2 * i] = now + lease, id
    local rest = past[i] and ' ' .. past[i] + 1 .. ' ' .. worker or first_time
    records[2 * i - 1], records[2 * i] = id, number .. places[i] .. rest
  end
  redis.call('ZADD', LEASED(q), unpack(ends))
  redis.call('HSET', LEASES, unpack(records))
  local values = redis.call('HMGET', BODIES, unpack(ids))
  for i, value in ipairs(values) do
    if not value then -- somebody has removed keys by hand
      redis.call('ZREM', LEASED(q), ids[i])
      redis.call('HDEL', LEASES, ids[i])
    elseif string.byte(value) >= 192 then
      free(place_of(queue_of(value), more_of(value).key), ids[i])
    end
  end
  reply[#reply + 1] = q
  reply[#reply + 1] = table.concat(ids)
  reply[#reply + 1] = values
  reply[#reply + 1] = facts_of(ids, past)
  left = left - #ids
  changed = true
end

-- When more of this queue falls due, or a lease ends.
local function look_ahead(q)
  local line = redis.call('ZRANGE', WAITING(q), 0, 0, 'WITHSCORES')
  if #line > 0 then due = sooner(due, moment_of(line[2])) end
  local leased = redis.call('ZRANGE', LEASED(q), 0, 0, 'WITHSCORES')
  if #leased > 0 then due = sooner(due, leased[2]) end
end

local open = {}
for q = 1, #ARGV - 5 do
  if not (any_paused and is_paused(ARGV[5 + q])) then open[#open + 1] = q end
end
for _, q in ipairs(open) do
  if left <= 0 then break end
  take(q)
end
if left > 0 or limit == 0 then
  for _, q in ipairs(open) do look_ahead(q) end
end
if due then reply[2] = math.max(0, due - now) end
if resumes then reply[3] = resumes - now end
if changed then
  keep_clock()
elseif sleep > 0 then
  local wakes = now + sleep
  if due then wakes = math.min(wakes, due) end
  if resumes then wakes = math.min(wakes, resumes) end
  for q = 1, #ARGV - 5 do
    local slept = tonumber(redis.call('HGET', BELL, ARGV[5 + q]) or 0)
    if slept < wakes then redis.call('HSET', BELL, ARGV[5 + q], wakes) end
  end
end
return reply
