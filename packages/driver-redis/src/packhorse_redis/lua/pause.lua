-- Pauses a queue.
-- keys: clock paused
-- with: clock
-- ARGV: the queue's name; for how many microseconds, empty: until it is resumed.
redis.call('HSET', PAUSED, ARGV[1], ARGV[2] == '' and '' or now + ARGV[2])
