-- For how many microseconds the first of the waiting messages has been due, -1 if none is.
-- keys: clock
-- each: waiting
-- with: clock places
local oldest = nil
for _, range in ipairs({{'-inf', '(0'}, {'0', now}}) do
  local first = redis.call(
    'ZRANGEBYSCORE', WAITING(1), range[1], range[2], 'WITHSCORES', 'LIMIT', 0, 1
  )[2]
  if first then oldest = math.max(oldest or 0, now - moment_of(first)) end
end
return oldest or -1
