-- post stores a message under the next number and publishes it.
-- KEYS: room, messages, roomUser, online, sent, names
-- ARGV: channel, userId, body, session tag, id or 0, history, messages between
--       two trims, instance, highest id acknowledged to the session, or 0
-- reply: the number, its negative less 16 if the message has started the room;
-- -1: no such room; -2: the user was removed; -3: a message of the session with
-- this id or a higher one is stored; -10: an acknowledged one is lost. Never 0
local room = redis.call('HMGET', KEYS[1], 'seq', 'deadline', 'life', 'x:' .. ARGV[2])
if not room[1] or (room[3] or '') ~= ARGV[8] then
  return -1
end
if room[4] then
  return -2
end
-- Ids are compared as text without leading zeros, because a number is exact in Lua only
-- up to 2^53.
local function below(a, b)
  return #a < #b or (#a == #b and a < b)
end
local deadline, started = room[2], false
local id = ARGV[5]
if id ~= '0' then
  local highest = redis.call('HGET', KEYS[5], ARGV[4]) or '0'
  if below(highest, ARGV[9]) then
    return -10
  end
  if not below(highest, id) then
    return -3
  end
end
if not deadline then
  local time = now()
  deadline = time + redis.call('HGET', KEYS[1], 'ttl') * 1000
  start_clock(ARGV[1], time, deadline)
  started = true
end
if id ~= '0' and redis.call('HSET', KEYS[5], ARGV[4], id) == 1 then
  local fields = redis.call('HLEN', KEYS[5])
  if fields == 1 then
    -- A new key gets the deadline at once.
    redis.call('PEXPIREAT', KEYS[5], deadline)
  elseif fields == 64 then
    -- A small hash is a list that Redis searches from the front; with this many
    -- fields a hash table is faster. Redis converts at 512 fields, or at once, and for
    -- good, if a name is longer than hash-max-listpack-value (64). No session has this
    -- tag.
    redis.call('HSET', KEYS[5], 'this name is longer than what a listpack may hold, hence a hash table', '')
  end
end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
if redis.call('RPUSH', KEYS[2], '{"seq":' .. seq .. ',' .. ARGV[3]) == 1 then
  redis.call('PEXPIREAT', KEYS[2], deadline)
end
if seq % ARGV[7] == 0 then
  redis.call('LTRIM', KEYS[2], -ARGV[6], -1)
end
redis.call('PUBLISH', ARGV[1], '{"type":"message","seq":' .. seq .. ',' .. ARGV[3])
return started and -16 - seq or seq
