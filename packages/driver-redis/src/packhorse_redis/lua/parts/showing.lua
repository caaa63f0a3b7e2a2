-- What a listing shows of a message: its state, its moment by the wall clock, its value, how many
-- deliveries, the worker, marks and record; nil if it is not on this queue.
local function show(q, id)
  local value = redis.call('HGET', BODIES, id)
  if not value then return nil end
  local letters = redis.call('HGET', MARKS, id) or ''
  local lease = redis.call('HGET', LEASES, id)
  local deliveries, worker = redis.call('HGET', PAST, id), false
  if lease then
    local _
    _, _, deliveries, worker = lease_of(lease)
  end
  local function shown(state, score, record)
    local moment = string.format('%.0f', moment_of(score) - ahead)
    return {state, moment, value, tonumber(deliveries or 0), worker, letters, record or false}
  end
  local score = redis.call('ZSCORE', LEASED(q), id)
  if score then return shown('leased', score) end
  worker = false
  score = redis.call('ZSCORE', WAITING(q), id)
  if score then
    if tonumber(score) <= now then return shown('waiting', score) end
    return shown('delayed', score)
  end
  score = redis.call('ZSCORE', PARKED(q), id)
  if score then return shown('parked', score) end
  score = redis.call('ZSCORE', DEAD(q), id)
  if score then return shown('dead', score, redis.call('HGET', RECORDS, id)) end
  return nil
end
