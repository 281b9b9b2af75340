-- retract deletes the text of a message and publishes that. The list holds the
-- numbers up to seq without a hole, so a number gives its index. An entry is JSON made by
-- package message, in which no name or text can contain the patterns below.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: channel, number, epoch of the number or '', userId, field of the message
--       that names the sender, 1 for a message of any sender, instance
-- reply: {0}; {1}: no such room; {2}: the user was removed; {8}: no such message;
-- {9}: it has another sender
local room = redis.call('HMGET', KEYS[1], 'seq', 'deadline', 'x:' .. ARGV[4], 'epoch', 'life')
if not room[1] or (room[5] or '') ~= ARGV[7] then
  return { 1 }
end
if room[3] then
  return { 2 }
end
local newest, number = tonumber(room[1]), tonumber(ARGV[2])
if number > newest or (ARGV[3] ~= '' and ARGV[3] ~= room[4]) then
  return { 8 }
end
local entry = redis.call('LINDEX', KEYS[2], number - newest - 1)
local head = '{"seq":' .. ARGV[2] .. ','
if not entry or string.sub(entry, 1, #head) ~= head then
  return { 8 }
end
local text = string.find(entry, '","timestamp":"', 1, true)
if not text or (ARGV[6] ~= '1' and not string.find(entry, ARGV[5], text, true)) then
  return { 9 }
end
local retracted = head .. '"retracted":true,"message":"'
if string.sub(entry, 1, #retracted) == retracted then
  return { 0 }
end
redis.call('LSET', KEYS[2], number - newest - 1, retracted .. string.sub(entry, text))
-- Numbers of messages that are no longer kept are dropped here, so that posts need not.
local oldest = newest - redis.call('LLEN', KEYS[2]) + 1
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', oldest - 1)
redis.call('ZADD', KEYS[7], ARGV[2], ARGV[2])
if room[2] and redis.call('ZCARD', KEYS[7]) == 1 then
  redis.call('PEXPIREAT', KEYS[7], room[2])
end
redis.call('PUBLISH', ARGV[1], '{"type":"retracted","seq":' .. ARGV[2] .. ',"oldest":' .. oldest .. '}')
return { 0 }
