-- Counts a queue's messages: ready, delayed, leased, parked.
-- keys: clock
-- each: waiting leased parked
-- with: clock
local ready = redis.call('ZCOUNT', WAITING(1), '-inf', now)
local waiting = redis.call('ZCARD', WAITING(1))
return {ready, waiting - ready, redis.call('ZCARD', LEASED(1)), redis.call('ZCARD', PARKED(1))}
