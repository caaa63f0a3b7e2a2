-- Which queues are paused, and for how many microseconds yet; -1: until they are resumed.
-- keys: clock paused
-- with: clock
-- Answers name, microseconds, …
local answer = {}
local all = redis.call('HGETALL', PAUSED)
for i = 1, #all, 2 do
  local left = all[i + 1] == '' and -1 or tonumber(all[i + 1]) - now
  if all[i + 1] == '' or left > 0 then
    answer[#answer + 1] = all[i]
    answer[#answer + 1] = left
  end
end
return answer
