-- delete ends the room.
-- KEYS: room, messages, roomUser, online, sent
-- ARGV: channel, event, createdAt (ms) that the room must have or ''
-- reply: {0, createdAt}; {1}: no such room
local created = redis.call('HGET', KEYS[1], 'createdAt')
if not created or (ARGV[3] ~= '' and ARGV[3] ~= created) then
  return { 1 }
end
redis.call('UNLINK', unpack(KEYS))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return { 0, created }
