-- peek reads the rooms that are to be reaped next.
-- KEYS: lobby list
-- ARGV: how many
-- reply: {0, time, entries}
return { 0, now(), redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1) }
