-- moved reports whether the epoch of the room began on another server than this
-- one, and notes that it is this one now. A server is known by the id of its
-- replication, which it makes up when it becomes a master. Who may not ask for
-- that (INFO) is told no.
local function moved()
  local info = redis.pcall('INFO', 'replication')
  local own = type(info) == 'string' and string.match(info, 'master_replid:(%x+)')
  local server = redis.call('HGET', KEYS[1], 'server')
  if not own or server == own then
    return false
  end
  redis.call('HSET', KEYS[1], 'server', own)
  return server
end
