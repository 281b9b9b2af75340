-- exit deletes the presence of users through a node.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, instance, and for each user: field of online, socketId that it must
--       have or '', event
-- reply: for each user 1 if the field existed and was deleted, else 0; empty for
-- another instance
local gone = {}
if (redis.call('HGET', KEYS[1], 'life') or '') ~= ARGV[2] then
  return gone
end
for i = 3, #ARGV, 3 do
  gone[#gone + 1] = 0
  if ARGV[i + 1] == '' or redis.call('HGET', KEYS[4], ARGV[i]) == ARGV[i + 1] then
    if redis.call('HDEL', KEYS[4], ARGV[i]) == 1 then
      redis.call('PUBLISH', ARGV[1], ARGV[i + 2])
      gone[#gone] = 1
    end
  end
end
return gone
