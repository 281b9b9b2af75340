-- beat says that a node is alive.
-- KEYS: node
-- ARGV: seconds for which this holds
-- reply: {1 if it was known to be, time}
local known = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], 1, 'EX', ARGV[1])
return { known, now() }
