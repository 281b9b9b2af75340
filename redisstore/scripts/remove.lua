-- remove ends a membership for the rest of the room's life.
-- KEYS: room, messages, roomUser, online, sent
-- ARGV: channel, userId, event, 1 to mark also somebody who is no member
-- reply: {0}; {1}: no such room; {3}: not a member
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 1 }
end
if redis.call('SREM', KEYS[3], ARGV[2]) == 0 and ARGV[4] ~= '1' then
  return { 3 }
end
redis.call('HSET', KEYS[1], 'x:' .. ARGV[2], 1)
redis.call('PUBLISH', ARGV[1], ARGV[3])
return { 0 }
