-- lock locks or unlocks the room for new members.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, 1 or 0, event, instance
-- reply: {0}; {1}: no such room
local room = redis.call('HMGET', KEYS[1], 'seq', 'locked', 'life')
if not room[1] or (room[3] or '') ~= ARGV[4] then
  return { 1 }
end
if (ARGV[2] == '1') == (room[2] ~= false) then
  return { 0 }
end
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'locked', 1)
else
  redis.call('HDEL', KEYS[1], 'locked')
end
redis.call('PUBLISH', ARGV[1], ARGV[3])
return { 0 }
