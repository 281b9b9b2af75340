// The end of a room, for clients that are connected, that are disconnected, and that
// return after it.
import assert from 'node:assert/strict'
import { ask, clientOf, connected, MemoryStorage, run, settings, until } from './harness.mjs'

const TTL = 4

await run(async () => {
  const storage = { anna: new MemoryStorage(), ben: new MemoryStorage() }
  const annas = clientOf({ storage: storage.anna })
  const bens = clientOf({ storage: storage.ben, base: settings.proxied })

  const lasting = await annas.createRoom({ roomName: 'lasting', username: 'anna' })
  const anna = await annas.createRoom({ roomName: 'r', username: 'anna', ttl: TTL })
  const { roomId } = anna
  const ben = await bens.joinRoom({ roomId, username: 'ben' })
  const annaSeen = await connected(anna)
  const benSeen = await connected(ben)
  anna.send('the clock runs')
  await until('it does', () => anna.expiresAt !== null && ben.expiresAt === anna.expiresAt)
  const end = anna.expiresAt
  assert.equal(end - anna.startedAt, TTL * 1000)
  assert.ok(anna.remaining() > 0 && anna.remaining() <= TTL * 1000)
  for (const [name, memory] of Object.entries(storage)) assert.ok(memory.text.includes(String(end)), name)
  const [annasCopy, bensCopy] = [storage.anna.copy(), storage.ben.copy()]
  const forgetful = clientOf({ storage: annasCopy })

  // Ben has no network when it ends.
  await ask('cut')
  await until('ben is offline', () => ben.state === 'waiting')
  ben.send('never arrives')
  await until('anna knows of the end', () => anna.state === 'ended')
  assert.deepEqual(annaSeen.ended, [{ reason: 'expired' }])
  assert.ok(anna.clock() >= end)
  assert.deepEqual([anna.messages, anna.remaining()], [[], 0])
  await until('ben notices', () => ben.state === 'ended', 6_000)
  assert.deepEqual(benSeen.ended, [{ reason: 'expired' }])
  assert.ok(ben.clock() >= end)
  assert.deepEqual([ben.messages, ben.pending], [[], []])
  await ask('heal')

  // The storage has nothing of the room, and keeps the credentials for the other.
  assert.equal(storage.ben.length, 0)
  assert.equal(storage.anna.length, 1)
  assert.ok(storage.anna.text.includes(lasting.roomId))

  // A client returns after the end.
  assert.equal(await clientOf({ storage: bensCopy, base: settings.proxied }).restore(roomId), null)
  assert.equal(bensCopy.length, 0)
  assert.deepEqual(await forgetful.sweep(), [roomId])
  assert.equal(annasCopy.length, 1)
  assert.equal((await forgetful.restore(lasting.roomId)).userId, 'anna')

  // Without an answer from the server, credentials stay.
  await ask('cut')
  const kept = storage.anna.copy()
  const elsewhere = clientOf({ storage: kept, base: settings.proxied })
  assert.deepEqual(await elsewhere.sweep(), [])
  assert.equal(kept.length, 1)
  await ask('heal')
})
