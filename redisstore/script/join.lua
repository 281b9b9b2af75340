-- join makes a new member under the first candidate that was never given out and
-- is not confusable with one that was. Names of the site's users may be confusable.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: maxOnline, surplus (fields of online beyond one per user), maxMembers,
--       instance, candidates, each followed by its skeleton...
-- reply: {0, time, fields, userId}; {1, time}: no such room; {4, time}: locked;
-- {5, time, 1}: too many online; {5, time, 0}: too many members or none free
local room = room_fields()
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
-- A new key gets the deadline at once.
local function add(key, member)
  if redis.call('SADD', key, member) == 0 then
    return false
  end
  if room[3] and redis.call('SCARD', key) == 1 then
    redis.call('PEXPIREAT', key, room[3])
  end
  return true
end
for i = 5, #ARGV, 2 do
  local name, skeleton = ARGV[i], ARGV[i + 1]
  if redis.call('HEXISTS', KEYS[1], 'x:' .. name) == 0
      and (room[15] or redis.call('SISMEMBER', KEYS[6], skeleton) == 0) and add(KEYS[3], name) then
    if not room[15] then
      add(KEYS[6], skeleton)
    end
    return { 0, time, room, name }
  end
end
return { 5, time, 0 }
