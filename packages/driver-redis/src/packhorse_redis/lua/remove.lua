-- Removes messages of a queue for good, those that are still in a state and old enough.
-- keys: clock bodies known bell leases past marks keyholders windows heads line sent records
-- each: waiting leased parked dead
-- with: clock bell places message keys groups marks ending
-- ARGV: state; microseconds that their moment must lie back, empty: any; ids.
-- Answers how many it removed.
local state, removed = ARGV[1], 0
local last = ARGV[2] == '' and math.huge or now - tonumber(ARGV[2])
local line = ({leased = LEASED, parked = PARKED, dead = DEAD})[state] or WAITING
for i = 3, #ARGV do
  local id = ARGV[i]
  local score = tonumber(redis.call('ZSCORE', line(1), id) or nil)
  local is = score and moment_of(score) <= last
  if state == 'waiting' then is = is and score <= now end
  if state == 'delayed' then is = is and score > now end
  if is then
    redis.call('ZREM', line(1), id)
    redis.call('HDEL', LEASES, id)
    local value = redis.call('HGET', BODIES, id)
    if value and state == 'dead' then
      local more = more_of(value)
      if more and more.once > 0 then remember(id, more.once) end
      redis.call('HDEL', RECORDS, id)
      redis.call('HDEL', BODIES, id)
      redis.call('HDEL', MARKS, id)
    elseif value then
      forget(1, id, value, state == 'parked')
    end
    removed = removed + 1
  end
end
keep_clock()
return removed
