-- Sets the end of leases to a whole lease from now.
-- keys: clock leases marks
-- each: leased
-- with: clock
-- ARGV: lease in microseconds; of each queue the tokens in one.
-- Answers '1' (renewed), '0' (lost) or 'c' (renewed, and cancelled) for each, queue by queue.
local lease = tonumber(ARGV[1])
local answers = {}
local any_marks = redis.call('HLEN', MARKS) > 0
for q = 1, #ARGV - 1 do
  local tokens, ends = ARGV[1 + q], {}
  for at = 1, #tokens, 24 do
    local id, number = string.sub(tokens, at, at + 15), string.sub(tokens, at + 16, at + 23)
    local record = redis.call('HGET', LEASES, id)
    local answer = '0'
    if record and string.sub(record, 1, 8) == number then
      answer = '1'
      local letters = any_marks and redis.call('HGET', MARKS, id)
      if letters and string.find(letters, 'c', 1, true) then answer = 'c' end
      ends[#ends + 1] = now + lease
      ends[#ends + 1] = id
    end
    answers[#answers + 1] = answer
  end
  if #ends > 0 then redis.call('ZADD', LEASED(q), unpack(ends)) end
end
keep_clock()
return table.concat(answers)
