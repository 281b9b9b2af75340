-- create makes a room: with the admin as its one member, or an instance of a declared
-- room, without members.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: createdAt (ms), lobby (s), admin or '', roomName, ttl (s), epoch, key,
--       pass or '', adminPass or '', instance or '', 1 if for the site's users or '',
--       skeleton of the admin's name or ''
-- reply: {0, time}; {6, time} if its lobby time is over, so that its entry in
-- the lobby list may be gone; {7, time, fields} if the room exists
local time = now()
if time >= ARGV[1] + ARGV[2] * 1000 then
  return { 6, time }
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 7, time, room_fields() }
end
-- Redis may have evicted only the room itself: the other keys belong to an earlier
-- instance.
redis.call('UNLINK', unpack(KEYS))
-- A small hash is a list that Redis searches from the front. Each post reads life, so
-- it is near the front, and present even if it is empty.
redis.call('HSET', KEYS[1], 'seq', 0, 'life', ARGV[10], 'ttl', ARGV[5], 'epoch', ARGV[6], 'createdAt', ARGV[1],
  'lobby', ARGV[2], 'admin', ARGV[3], 'roomName', ARGV[4], 'key', ARGV[7])
for _, field in ipairs({ { 'pass', ARGV[8] }, { 'adminPass', ARGV[9] }, { 'signedIn', ARGV[11] } }) do
  if field[2] ~= '' then
    redis.call('HSET', KEYS[1], field[1], field[2])
  end
end
if ARGV[3] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[3])
end
if ARGV[12] ~= '' then
  redis.call('SADD', KEYS[6], ARGV[12])
end
return { 0, time }
