-- renew_lease marks a node as alive.
-- KEYS: node
-- ARGV: lease TTL (s)
-- reply: {1 if it was marked, time}
local known = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], 1, 'EX', ARGV[1])
return { known, now() }
