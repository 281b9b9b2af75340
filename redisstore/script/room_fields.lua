-- fields returns what decodeRoom (room.go) reads, in its order.
local function fields()
  return redis.call('HMGET', KEYS[1], 'seq', 'epoch', 'deadline', 'startedAt', 'createdAt', 'ttl', 'locked', 'admin',
    'roomName', 'key', 'pass', 'lobby', 'adminPass', 'life', 'signedIn')
end
