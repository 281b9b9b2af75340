-- repair_clock gives the room back a deadline that Redis has lost. The earlier of two
-- deadlines is valid.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, startedAt (ms), deadline (ms), instance
-- reply: {0, time}; {1, time}: no such room
local time = now()
local room = redis.call('HMGET', KEYS[1], 'seq', 'deadline', 'life')
if not room[1] or (room[3] or '') ~= ARGV[4] then
  return { 1, time }
end
if not room[2] or tonumber(room[2]) > tonumber(ARGV[3]) then
  start_clock(ARGV[1], ARGV[2], ARGV[3])
end
return { 0, time }
