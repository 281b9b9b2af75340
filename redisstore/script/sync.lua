-- sync reads the state of the room, and publishes a marker: events before the marker
-- are part of the reply, events after it are not.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, marker, number of the message to return or '' for the newest,
--       instance, new epoch if another server has had the room or '' for no check,
--       event of that, userIds whose removal to return...
-- reply: {0, time, fields, number of messages kept, message, online as field
-- and value, removals, numbers of kept messages that were retracted};
-- {1, time}: no such room
local room = room_fields()
if not room[1] or (room[14] or '') ~= ARGV[4] then
  return { 1, now() }
end
if ARGV[5] ~= '' and master_changed() then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[5])
  redis.call('PUBLISH', ARGV[1], ARGV[6])
  room = room_fields()
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
local newest = tonumber(room[1])
local number = tonumber(ARGV[3]) or newest
local message = false
if number >= 1 and number <= newest then
  message = redis.call('LINDEX', KEYS[2], number - newest - 1)
end
local removed = {}
for i = 7, #ARGV do
  removed[#removed + 1] = redis.call('HEXISTS', KEYS[1], 'x:' .. ARGV[i])
end
local kept = redis.call('LLEN', KEYS[2])
local retracted = redis.call('ZRANGEBYSCORE', KEYS[7], newest - kept + 1, '+inf')
return { 0, now(), room, kept, message, redis.call('HGETALL', KEYS[4]), removed, retracted }
