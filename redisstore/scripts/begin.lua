-- begin gives the room its deadline, on every key that exists, and tells it.
-- Numbers of milliseconds have 13 digits, which Lua writes in full.
local function begin(channel, started, deadline)
  redis.call('HSET', KEYS[1], 'startedAt', started, 'deadline', deadline)
  for i = 1, 5 do
    redis.call('PEXPIREAT', KEYS[i], deadline)
  end
  redis.call('PUBLISH', channel, '{"type":"started","startedAt":' .. started .. ',"deadline":' .. deadline .. '}')
end
