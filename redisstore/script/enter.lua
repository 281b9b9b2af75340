-- enter stores that a member is online through a node, and publishes the connection.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, userId, field of online, socketId, session tag, event,
--       maxOnline, surplus (fields of online beyond one per user), 1 if the user
--       is online, instance
-- reply: {0, highest id of the session}; {1}: no such room; {2}: the user was
-- removed; {3}: not a member; {5}: too many online
local room = redis.call('HMGET', KEYS[1], 'seq', 'deadline', 'x:' .. ARGV[2], 'life')
if not room[1] or (room[4] or '') ~= ARGV[10] then
  return { 1 }
end
if room[3] then
  return { 2 }
end
if redis.call('SISMEMBER', KEYS[3], ARGV[2]) == 0 then
  return { 3 }
end
if ARGV[9] ~= '1' and redis.call('HEXISTS', KEYS[4], ARGV[3]) == 0
    and redis.call('HLEN', KEYS[4]) - ARGV[8] >= tonumber(ARGV[7]) then
  return { 5 }
end
if redis.call('HSET', KEYS[4], ARGV[3], ARGV[4]) == 1 and room[2] and redis.call('HLEN', KEYS[4]) == 1 then
  redis.call('PEXPIREAT', KEYS[4], room[2])
end
redis.call('PUBLISH', ARGV[1], ARGV[6])
return { 0, redis.call('HGET', KEYS[5], ARGV[5]) or '0' }
