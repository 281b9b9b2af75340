-- finish clears away what is left of a room that is past the deadline that a
-- node knows. Redis has expired the keys already where its clock agrees, and
-- touching them frees them; where it has lost the deadline they are still there.
-- A standing room may be in its next life.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, event, deadline (ms), life
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
