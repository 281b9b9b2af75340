-- lobby_dequeue removes rooms from the lobby list while they are at its head, and the
-- lobby time from the set once the list is empty.
-- KEYS: lobby list, set of lobby times
-- ARGV: lobby time (s), entries...
-- reply: {0}
for i = 2, #ARGV do
  if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[i] then
    break
  end
  redis.call('LPOP', KEYS[1])
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[1])
end
return { 0 }
