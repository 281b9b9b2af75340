-- load reads the room and how a user stands to it.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: life or '' for whichever it is in, userId (optional)
-- reply: {0, time, fields, stranger 0 or member 1 or removed 2}; {1, time}: no
-- such room
local room = fields()
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
