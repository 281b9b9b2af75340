-- expire deletes the keys of a room that is past the deadline that a node knows. If
-- Redis has the same deadline, it has expired the keys, and this frees their memory; if
-- Redis has lost the deadline, they still exist. A declared room may be in its next
-- instance.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, event, deadline (ms), instance
-- reply: {1, time}: the room is gone; {0, time}: it is not
local time = now()
local room = redis.call('HMGET', KEYS[1], 'seq', 'deadline', 'life')
if room[1] then
  if (room[3] or '') ~= ARGV[4] then
    return { 1, time }
  end
  local own = tonumber(room[2])
  if time < tonumber(ARGV[3]) and not (own and own <= time) then
    return { 0, time }
  end
  redis.call('PUBLISH', ARGV[1], ARGV[2])
end
redis.call('UNLINK', unpack(KEYS))
return { 1, time }
