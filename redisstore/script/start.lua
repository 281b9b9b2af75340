-- start gives the room its deadline unless it has one.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, instance
-- reply: {0, time, startedAt, deadline, 1 if this call started it}; {1, time}: no
-- such room
local time = now()
local room = redis.call('HMGET', KEYS[1], 'ttl', 'startedAt', 'deadline', 'life')
if not room[1] or (room[4] or '') ~= ARGV[2] then
  return { 1, time }
end
if room[3] then
  return { 0, time, room[2], room[3], 0 }
end
local deadline = time + room[1] * 1000
start_clock(ARGV[1], time, deadline)
return { 0, time, time, deadline, 1 }
