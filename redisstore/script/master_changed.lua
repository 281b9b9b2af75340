-- master_changed returns whether the epoch of the room began on another server than
-- this one, and stores this one. A server is identified by its replication id, which it
-- makes when it becomes a master. A user without permission for INFO gets false.
local function master_changed()
  local info = redis.pcall('INFO', 'replication')
  local own = type(info) == 'string' and string.match(info, 'master_replid:(%x+)')
  local server = redis.call('HGET', KEYS[1], 'server')
  if not own or server == own then
    return false
  end
  redis.call('HSET', KEYS[1], 'server', own)
  return server
end
