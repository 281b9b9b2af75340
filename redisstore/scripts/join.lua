-- join makes a new member under the first candidate that was never given out.
-- KEYS: room, messages, roomUser, online, sent, retracted
-- ARGV: maxOnline, surplus (fields of online beyond one a user), maxMembers,
--       life, candidates...
-- reply: {0, time, fields, userId}; {1, time}: no such room; {4, time}: locked;
-- {5, time, 1}: too many online; {5, time, 0}: too many members or none free
local room = fields()
local time = now()
if not room[1] or (room[14] or '') ~= ARGV[4] then
  return { 1, time }
end
if room[7] then
  return { 4, time }
end
if redis.call('HLEN', KEYS[4]) - ARGV[2] >= tonumber(ARGV[1]) then
  return { 5, time, 1 }
end
if redis.call('SCARD', KEYS[3]) >= tonumber(ARGV[3]) then
  return { 5, time, 0 }
end
for i = 5, #ARGV do
  if redis.call('HEXISTS', KEYS[1], 'x:' .. ARGV[i]) == 0 and redis.call('SADD', KEYS[3], ARGV[i]) == 1 then
    if room[3] and redis.call('SCARD', KEYS[3]) == 1 then
      redis.call('PEXPIREAT', KEYS[3], room[3])
    end
    return { 0, time, room, ARGV[i] }
  end
end
return { 5, time, 0 }
