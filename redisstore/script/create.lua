-- create makes a room: with one member, the admin, or a life of a standing room,
-- without members.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: createdAt (ms), lobby (s), admin or '', roomName, ttl (s), epoch, key,
--       pass or '', adminPass or '', life or '', 1 for the site's users or '',
--       look of the admin's name or ''
-- reply: {0, time}; {6, time} if its lobby time is over, so that its entry in
-- the lobby list may be gone; {7, time, fields} if the room exists
local time = now()
if time >= ARGV[1] + ARGV[2] * 1000 then
  return { 6, time }
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 7, time, fields() }
end
-- Where Redis has dropped the room alone, for want of memory, what is left of it
-- belongs to another life.
redis.call('UNLINK', unpack(KEYS))
-- Small hashes are lists that are searched from the front, and by each post: life is
-- there, and in front, also where it is empty.
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
