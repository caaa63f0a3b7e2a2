-- Ends a pause.
-- keys: clock paused bell
-- with: clock bell
-- ARGV: the queue's name.
redis.call('HDEL', PAUSED, ARGV[1])
ring(ARGV[1], now)
