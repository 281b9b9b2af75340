-- reap ends the room if it is the one that was queued and has not started.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, event, createdAt (ms), instance
-- reply: {1 if it was reaped}
local room = redis.call('HMGET', KEYS[1], 'createdAt', 'deadline', 'life')
if room[1] ~= ARGV[3] or room[2] or (room[3] or '') ~= ARGV[4] then
  return { 0 }
end
redis.call('UNLINK', unpack(KEYS))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return { 1 }
