-- Marks messages of a queue as cancelled and makes them due now.
-- keys: clock bodies leases marks bell heads line sent
-- each: waiting parked
-- with: clock bell message groups marks
-- ARGV: the queue's name; ids. Answers for each: marked, leased or gone.
local answers = {}
for i = 2, #ARGV do answers[i - 1] = hasten(1, ARGV[i], 'c') end
ring(ARGV[1], now)
keep_clock()
return answers
