-- lobby_peek reads the rooms that are due next.
-- KEYS: lobby list
-- ARGV: maximum number
-- reply: {0, time, entries}
return { 0, now(), redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1) }
