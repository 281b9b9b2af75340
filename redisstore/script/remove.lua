-- remove ends a membership for the rest of the room's time.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, userId, event, 1 to remove also a user without membership, instance
-- reply: {0}; {1}: no such room; {3}: not a member
local room = redis.call('HMGET', KEYS[1], 'seq', 'life')
if not room[1] or (room[2] or '') ~= ARGV[5] then
  return { 1 }
end
if redis.call('SREM', KEYS[3], ARGV[2]) == 0 and ARGV[4] ~= '1' then
  return { 3 }
end
redis.call('HSET', KEYS[1], 'x:' .. ARGV[2], 1)
redis.call('PUBLISH', ARGV[1], ARGV[3])
return { 0 }
