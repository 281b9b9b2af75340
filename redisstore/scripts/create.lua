-- create makes a room with one member, the admin.
-- KEYS: room, messages, roomUser, online, sent
-- ARGV: createdAt (ms), lobby (s), admin, roomName, ttl (s), epoch, key, pass
-- reply: {0, time}; {6, time} if its lobby time is over, so that its entry in
-- the lobby list may be gone; {7, time} if the room exists
local time = now()
if time >= ARGV[1] + ARGV[2] * 1000 then
  return { 6, time }
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 7, time }
end
redis.call('HSET', KEYS[1], 'seq', 0, 'ttl', ARGV[5], 'epoch', ARGV[6], 'createdAt', ARGV[1], 'lobby', ARGV[2],
  'admin', ARGV[3], 'roomName', ARGV[4], 'key', ARGV[7])
if ARGV[8] ~= '' then
  redis.call('HSET', KEYS[1], 'pass', ARGV[8])
end
redis.call('SADD', KEYS[3], ARGV[3])
return { 0, time }
