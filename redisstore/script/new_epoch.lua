-- new_epoch begins a new epoch of the numbering, unless another node has.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, old epoch, new epoch, event, instance
-- reply: {0, the epoch}; {1}: no such room
local room = redis.call('HMGET', KEYS[1], 'epoch', 'life')
if not room[1] or (room[2] or '') ~= ARGV[5] then
  return { 1 }
end
if room[1] ~= ARGV[2] then
  return { 0, room[1] }
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[4])
return { 0, ARGV[3] }
