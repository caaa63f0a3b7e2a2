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

-- Puts what has lost its lease first in line, at its old place; its token is good until it is taken.
local function end_leases(q)
  local ended = redis.call('ZRANGEBYSCORE', LEASED(q), '-inf', now, 'LIMIT', 0, 1000)
  if #ended == 0 then return end
  local places = {}
  for i, record in ipairs(redis.call('HMGET', LEASES, unpack(ended))) do
    local moment = now
    if record then
      local _
      _, moment = lease_of(record)
    end
    places[2 * i - 1], places[2 * i] = moment - FIRST, ended[i]
  end
  redis.call('ZADD', WAITING(q), unpack(places))
  redis.call('ZREM', LEASED(q), unpack(ended))
end

-- How often what stands here had been delivered, where that is not never.
local function past_of(ids, places)
  local past = {}
  for i, id in ipairs(ids) do
    if string.byte(places[i]) == 45 then
      local record = redis.call('HGET', LEASES, id)
      if record then
        local _
        _, _, past[i] = lease_of(record)
      end
    end
  end
  if redis.call('HLEN', PAST) > 0 then
    for i, deliveries in ipairs(redis.call('HMGET', PAST, unpack(ids))) do
      if deliveries then past[i] = tonumber(deliveries) end
    end
    redis.call('HDEL', PAST, unpack(ids))
  end
  return past
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
  local found = redis.call('ZRANGEBYSCORE', WAITING(q), '-inf', now, 'WITHSCORES', 'LIMIT', 0, left)
  if #found == 0 then return end
  local ids, places = {}, {}
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
    places[#places + 1] = found[i + 1]
  end
  redis.call('ZREMRANGEBYRANK', WAITING(q), 0, #ids - 1)
  local past, ends, records = past_of(ids, places), {}, {}
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
  end_leases(q)
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
