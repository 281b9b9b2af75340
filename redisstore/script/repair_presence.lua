-- repair_presence stores the presence of users through a node, after Redis lost it.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, instance, and for each user: userId, its skeleton, field of online,
--       socketId, event
-- reply: {0}; {1}: no such room
local room = redis.call('HMGET', KEYS[1], 'seq', 'deadline', 'life', 'signedIn')
if not room[1] or (room[3] or '') ~= ARGV[2] then
  return { 1 }
end
for i = 3, #ARGV, 5 do
  if redis.call('HEXISTS', KEYS[1], 'x:' .. ARGV[i]) == 0 then
    redis.call('SADD', KEYS[3], ARGV[i])
    if not room[4] then
      redis.call('SADD', KEYS[6], ARGV[i + 1])
    end
    redis.call('HSET', KEYS[4], ARGV[i + 2], ARGV[i + 3])
    redis.call('PUBLISH', ARGV[1], ARGV[i + 4])
  end
end
if room[2] then
  redis.call('PEXPIREAT', KEYS[3], room[2])
  redis.call('PEXPIREAT', KEYS[4], room[2])
  redis.call('PEXPIREAT', KEYS[6], room[2])
end
return { 0 }
