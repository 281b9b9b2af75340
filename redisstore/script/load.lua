-- load reads the room and the membership of a user.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: instance or '' for the current one, userId (optional)
-- reply: {0, time, fields, no member 0 or member 1 or removed 2}; {1, time}: no
-- such room
local room = room_fields()
if not room[1] or (ARGV[1] ~= '' and room[14] ~= ARGV[1]) then
  return { 1, now() }
end
local membership = 0
if ARGV[2] then
  if redis.call('HEXISTS', KEYS[1], 'x:' .. ARGV[2]) == 1 then
    membership = 2
  else
    membership = redis.call('SISMEMBER', KEYS[3], ARGV[2])
  end
end
return { 0, now(), room, membership }
