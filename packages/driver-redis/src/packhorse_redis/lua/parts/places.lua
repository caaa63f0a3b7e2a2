-- Places in the line of a queue, a sorted set by moment. What goes before all others, as a message does
-- whose worker has died, stands below zero: its old moment less FIRST. A score holds either exactly.
local FIRST = 4503599627370496

-- The moment of a place.
local function moment_of(score)
  score = tonumber(score)
  if score < 0 then return score + FIRST end
  return score
end

-- A lease's record: 8 bytes that name the reservation, the place, how many deliveries, the worker.
local function lease_of(record)
  local place, deliveries, worker = string.match(record, '^(%S+) (%d+) (.*)$', 9)
  return string.sub(record, 1, 8), moment_of(place), tonumber(deliveries), worker
end
