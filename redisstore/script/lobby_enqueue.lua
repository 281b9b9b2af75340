-- lobby_enqueue queues a room that is about to be created, to be reaped later.
-- KEYS: lobby list, set of lobby times
-- ARGV: lobby time (s), id of the instance
-- reply: {0, time (ms)}; the time is to be the room's createdAt
local created = now()
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('RPUSH', KEYS[1], created .. ':' .. ARGV[2])
return { 0, created }
