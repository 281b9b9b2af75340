-- delete ends the room.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, event, instance
-- reply: {0}; {1}: no such room
local room = redis.call('HMGET', KEYS[1], 'seq', 'life')
if not room[1] or (room[2] or '') ~= ARGV[3] then
  return { 1 }
end
redis.call('UNLINK', unpack(KEYS))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return { 0 }
