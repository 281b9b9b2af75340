-- begin gives the room its deadline, on every key that exists, and tells it. A
-- script that leaves keys out of KEYS knows that they don't exist.
-- Numbers of milliseconds have 13 digits, which Lua writes in full.
local function begin(channel, started, deadline)
  redis.call('HSET', KEYS[1], 'startedAt', started, 'deadline', deadline)
  for i = 1, #KEYS do
    redis.call('PEXPIREAT', KEYS[i], deadline)
  end
  redis.call('PUBLISH', channel, '{"type":"started","startedAt":' .. started .. ',"deadline":' .. deadline .. '}')
end
