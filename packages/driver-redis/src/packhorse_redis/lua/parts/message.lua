-- A message as BODIES keeps it: two bytes (128: it has more than a queue and a body, 64: its key is
-- free when it is reserved; the rest is the length of the queue's name), the name, and then, if it has
-- more, the length of what that is in four bytes and a msgpack array; the body.
local function queue_of(value)
  local high, low = string.byte(value, 1, 2)
  return string.sub(value, 3, 2 + high % 64 * 256 + low)
end

-- What a message has beside queue and body, nil if it has nothing.
local function more_of(value)
  local high, low = string.byte(value, 1, 2)
  if high < 128 then return nil end
  local start = 3 + high % 64 * 256 + low
  local a, b, c, d = string.byte(value, start, start + 3)
  local length = ((a * 256 + b) * 256 + c) * 256 + d
  local more = cmsgpack.unpack(string.sub(value, start + 4, start + 3 + length))
  return {
    once = more[1], group = more[2], key = more[3],
    reserved = more[4], window = more[5], replace = more[6], max_wait = more[7],
  }
end

local function span(seconds)
  return math.floor(math.min(seconds, 1e9) * 1000000 + 0.5)
end
