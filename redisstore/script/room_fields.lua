-- room_fields returns the fields that reply.room (reply.go) decodes, in its order.
local function room_fields()
  return redis.call('HMGET', KEYS[1], 'seq', 'epoch', 'deadline', 'startedAt', 'createdAt', 'ttl', 'locked', 'admin',
    'roomName', 'key', 'pass', 'lobby', 'adminPass', 'life', 'signedIn')
end
