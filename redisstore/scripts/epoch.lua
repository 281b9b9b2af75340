-- epoch names the numbering anew, unless somebody else has.
-- KEYS: room, messages, roomUser, online, sent
-- ARGV: channel, old epoch, new epoch, event
-- reply: {0, the epoch}; {1}: no such room
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  return { 1 }
end
if epoch ~= ARGV[2] then
  return { 0, epoch }
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[4])
return { 0, ARGV[3] }
