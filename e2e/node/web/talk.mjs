// Two users, from the creation of a room to its deletion.
import assert from 'node:assert/strict'
import { assertRefused, assertUnbroken, clientOf, connected, MemoryStorage, run, settings, texts, until } from './harness.mjs'

await run(async () => {
  const annas = clientOf({ storage: new MemoryStorage() })
  const bens = clientOf({ storage: new MemoryStorage(), base: settings.bases.at(-1) })

  const anna = await annas.createRoom({ roomName: 'Grüße', username: 'anna', password: 'open sesame', ttl: '10m' })
  assert.deepEqual([anna.roomName, anna.userId, anna.role, anna.ttl, anna.expiresAt, anna.remaining()],
    ['Grüße', 'anna', 'admin', 600, null, null])
  assert.deepEqual([anna.state, anna.private, anna.key, anna.messages], ['closed', false, null, []])
  assert.match(anna.roomId, /^[\w-]{22}$/)

  assert.deepEqual(await bens.roomInfo(anna.roomId), { passwordRequired: true, locked: false, startedAt: null, expiresAt: null })
  const { roomId } = anna
  await assertRefused(bens.joinRoom({ roomId, username: 'ben' }), 'wrong_password', 403)
  await assertRefused(bens.joinRoom({ roomId: 'nowhere' }), 'room_not_found', 404)
  await assertRefused(bens.joinRoom({ roomId, username: 'x'.repeat(33) }), 'invalid_request', 400)
  await assertRefused(clientOf({ base: `${settings.bases[0]}/elsewhere` }).roomInfo(roomId), 'bad_response', 200) // by Caddy
  await assertRefused(clientOf({ base: 'http://127.0.0.1:9' }).roomInfo(roomId), 'network', 0)
  const ben = await bens.joinRoom({ roomId, username: 'ben', password: 'open sesame' })
  assert.deepEqual([ben.userId, ben.role], ['ben', 'member'])

  const annaSeen = await connected(anna)
  assert.deepEqual(annaSeen.state.map(({ state }) => state), ['connecting', 'open'])
  assert.deepEqual(annaSeen.welcome, [{ resumed: false, gap: false }])
  const benSeen = await connected(ben)
  await until('anna sees ben', () => anna.online.has('ben'))
  assert.deepEqual([anna.onlineCount, ben.onlineCount, [...ben.online].sort()], [2, 2, ['anna', 'ben']])
  assert.ok(annaSeen.online.some(({ joined }) => joined === 'ben'))

  // The first message starts the room.
  const pending = anna.send('Hello 世界 👋 <b>&amp;\n2')
  assert.deepEqual([pending.status, anna.pending], ['sending', [pending]])
  await until('it has arrived', () => ben.messages.length === 1 && anna.messages.length === 1)
  assert.deepEqual(anna.pending, [])
  const [received] = ben.messages
  assert.deepEqual({ ...received, timestamp: 0 },
    { seq: 1, userId: 'anna', text: 'Hello 世界 👋 <b>&amp;\n2', timestamp: 0, mine: false, retracted: false })
  assert.deepEqual({ ...anna.messages[0] }, { ...received, mine: true, id: pending.id })
  for (const room of [anna, ben]) {
    await until('the room has started', () => room.expiresAt !== null)
    assert.equal(room.expiresAt - room.startedAt, 600_000)
    assert.ok(Math.abs(room.remaining() - 600_000) < 15_000)
    assert.ok(Math.abs(room.clock() - received.timestamp) < 15_000)
  }
  assert.equal(benSeen.started.length, 1)
  await anna.start() // again changes nothing
  assert.equal(annaSeen.started.length, 1)

  ben.typing()
  ben.typing()
  await until('anna sees ben typing', () => annaSeen.typing.length > 0)

  // Messages that are too long or empty are not sent; the others are, in order.
  assert.equal(ben.maxLength, 4096)
  const failed = ben.send('é'.repeat(2049))
  assert.deepEqual([failed.status, failed.code], ['failed', 'message_too_long'])
  assert.throws(() => ben.send(''), { code: 'invalid_message' })
  const sent = Array.from({ length: 120 }, (_, n) => `number ${n}`)
  for (const text of sent) ben.send(text)
  await until('all have arrived', () => anna.messages.length === 121)
  assert.deepEqual(texts(anna.messages).slice(1), sent)
  assert.deepEqual(ben.pending, [failed])
  assert.equal(ben.discard(failed.id), true)
  assert.deepEqual([ben.pending, ben.discard(failed.id), ben.retry(failed.id)], [[], false, false])

  // A later member gets the newest messages, and pages through the others.
  const carla = await bens.joinRoom({ roomId, password: 'open sesame' })
  assert.match(carla.userId, /^[0-9a-f-]{36}$/)
  const carlaSeen = await connected(carla)
  assert.deepEqual([carla.messages.length, carla.messages.at(-1).text, carla.more], [50, 'number 119', true])
  const [more, same] = await Promise.all([carla.older(30), carla.older(30)]) // asked for once
  assert.deepEqual([more, same, carla.messages.length], [true, true, 80])
  assert.deepEqual([await carla.older(), carla.more], [false, false])
  assert.deepEqual([await carla.older(), carla.messages.length], [false, 121])
  assertUnbroken(carla.messages)
  assert.deepEqual(carlaSeen.messages.map(({ messages, where }) => [messages.length, where]), [[30, 'older'], [41, 'older']])
  assert.deepEqual(texts(carla.messages), texts(anna.messages))

  // The admin.
  await assertRefused(ben.lock(true), 'not_admin', 403)
  await anna.lock(true)
  await until('all know of the lock', () => [anna, ben, carla].every(({ locked }) => locked))
  assert.deepEqual(annaSeen.locked, [{ locked: true }])
  await assertRefused(bens.joinRoom({ roomId, password: 'open sesame' }), 'room_locked', 403)
  await anna.lock(false)
  await assertRefused(anna.removeMember('nobody'), 'member_not_found', 404)
  await anna.removeMember(carla.userId)
  await until('carla is removed', () => carla.state === 'ended')
  assert.deepEqual([carlaSeen.ended, carla.messages], [[{ reason: 'removed' }], []])
  assert.throws(() => carla.send('still here'), { code: 'closed' })
  await assertRefused(carla.leave(), 'closed')

  const dave = await bens.joinRoom({ roomId, username: 'dave', password: 'open sesame' })
  const daveSeen = await connected(dave)
  await dave.leave()
  assert.deepEqual(daveSeen.ended, [{ reason: 'left' }])

  await anna.deleteRoom()
  await until('the room is gone for ben', () => ben.state === 'ended')
  assert.deepEqual([annaSeen.ended, benSeen.ended], [[{ reason: 'deleted' }], [{ reason: 'deleted' }]])
  assert.equal(ben.messages.length + ben.pending.length + ben.onlineCount, 0)
})
