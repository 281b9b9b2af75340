-- history reads a run of messages. The list holds the numbers up to seq without
-- a hole, so a number gives its index.
-- KEYS: room, messages, roomUser, online, sent, names, retracted
-- ARGV: 'before' or 'after', number (before 0: the newest), maximum number of entries,
--       maximum number of bytes, instance
-- reply: {0, epoch, oldest, newest, first, entries}; {1}: no such room
local room = redis.call('HMGET', KEYS[1], 'seq', 'epoch', 'life')
if not room[1] or (room[3] or '') ~= ARGV[5] then
  return { 1 }
end
local newest = tonumber(room[1])
local length = redis.call('LLEN', KEYS[2])
if length == 0 then
  return { 0, room[2], 0, newest, 0, {} }
end
local oldest = newest - length + 1
local number, limit, budget = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local entries, bytes, full = {}, 0, limit <= 0
local chunk = 32

local function take(entry)
  if #entries == limit or (#entries > 0 and bytes + #entry > budget) then
    full = true
    return
  end
  bytes = bytes + #entry
  entries[#entries + 1] = entry
end

local first
if ARGV[1] == 'after' then
  first = math.max(number + 1, oldest)
  local at = first - oldest
  while not full and at < length do
    for _, entry in ipairs(redis.call('LRANGE', KEYS[2], at, at + chunk - 1)) do
      take(entry)
      if full then
        break
      end
    end
    at = at + chunk
  end
else
  local last = newest
  if number > 0 and number <= newest then
    last = number - 1
  end
  local at = last - oldest
  while not full and at >= 0 do
    local part = redis.call('LRANGE', KEYS[2], math.max(0, at - chunk + 1), at)
    for i = #part, 1, -1 do
      take(part[i])
      if full then
        break
      end
    end
    at = at - chunk
  end
  for i = 1, math.floor(#entries / 2) do
    entries[i], entries[#entries - i + 1] = entries[#entries - i + 1], entries[i]
  end
  first = last - #entries + 1
end
if #entries == 0 then
  first = 0
end
return { 0, room[2], oldest, newest, first, entries }
