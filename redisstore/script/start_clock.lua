-- start_clock sets the deadline of the room and of each existing key, and publishes it.
-- A script may leave keys out of KEYS that cannot exist. Numbers of milliseconds have 13
-- digits, which Lua writes in full.
local function start_clock(channel, started, deadline)
  redis.call('HSET', KEYS[1], 'startedAt', started, 'deadline', deadline)
  for i = 1, #KEYS do
    redis.call('PEXPIREAT', KEYS[i], deadline)
  end
  redis.call('PUBLISH', channel, '{"type":"started","startedAt":' .. started .. ',"deadline":' .. deadline .. '}')
end
