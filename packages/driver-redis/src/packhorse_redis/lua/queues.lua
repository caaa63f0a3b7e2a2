-- Which of the known queues hold anything; the others are known no more.
-- keys: queues
-- each: waiting leased parked dead
-- ARGV: the names of the queues. Answers those that do.
local full = {}
for q, name in ipairs(ARGV) do
  if redis.call('EXISTS', WAITING(q), LEASED(q), PARKED(q), DEAD(q)) > 0 then
    full[#full + 1] = name
  else
    redis.call('SREM', QUEUES, name)
  end
end
return full
