// Retractions.
import assert from 'node:assert/strict'
import { ask, assertRefused, clientOf, connected, run, settings, texts, until } from './harness.mjs'

await run(async () => {
  const anna = await clientOf().createRoom({ roomName: 'r', username: 'anna', private: settings.private })
  const { roomId, key } = anna
  const ben = await clientOf({ base: settings.proxied }).joinRoom({ roomId, key, username: 'ben' })
  const carla = await clientOf({ base: settings.bases[0] }).joinRoom({ roomId, key, username: 'carla' })
  const rooms = [anna, ben, carla]
  await assertRefused(ben.retract(1), 'offline')
  const seen = []
  for (const room of rooms) seen.push(await connected(room))
  for (const [n, room] of rooms.entries()) {
    room.send(`from ${room.userId}`)
    await until('all have it', () => rooms.every(({ messages }) => messages.length === n + 1))
  }

  await assertRefused(ben.retract(1), 'not_admin')
  await assertRefused(ben.retract(99), 'message_not_found')
  await ben.retract(2)
  await anna.retract(3)
  const left = ['from anna', '', '']
  for (const [i, room] of rooms.entries()) {
    await until('all know of it', () => seen[i].retracted.length === 2)
    assert.deepEqual(texts(room.messages), left)
    assert.deepEqual(room.messages.map(({ retracted }) => retracted), [false, true, true])
    assert.deepEqual(room.messages[2].sealed, undefined)
    assert.deepEqual(seen[i].retracted.map(({ seq, message }) => [seq, message.seq, message.text]), [[2, 2, ''], [3, 3, '']])
  }

  // Twice, and by two users at once: no call waits for a missing answer.
  await anna.retract(2)
  carla.send('to be retracted by two')
  await until('all have it', () => rooms.every(({ messages }) => messages.length === 4))
  await Promise.all([anna.retract(4), carla.retract(4), anna.retract(4)])
  for (const [i] of rooms.entries()) {
    await until('all know of it', () => seen[i].retracted.length === 3)
  }

  // A client that was disconnected, or that joins later, does not get the text either.
  carla.send('said')
  carla.send('and said again')
  await until('all have it', () => rooms.every(({ messages }) => messages.length === 6))
  await ask('cut')
  await until('ben is offline', () => ben.state === 'waiting')
  await assertRefused(ben.retract(1), 'offline')
  await carla.retract(5)
  carla.send('for those who were away')
  await until('it has arrived', () => anna.messages.length === 7)
  await carla.retract(7)
  await ask('heal')
  await until('ben has caught up', () => ben.messages.length === 7)
  const late = await clientOf().joinRoom({ roomId, key, username: 'late' })
  await connected(late)
  for (const room of [...rooms, late]) {
    assert.deepEqual(texts(room.messages), [...left, '', '', 'and said again', ''], room.userId)
    assert.deepEqual(room.messages.filter(({ retracted }) => retracted).map(({ seq }) => seq), [2, 3, 4, 5, 7])
  }
  // A loaded message is reported as retracted; a missed one came without its text.
  assert.deepEqual(seen[1].retracted.map(({ seq }) => seq), [2, 3, 4, 5])
  assert.deepEqual(seen[1].welcome.at(-1), { resumed: true, gap: false })
  assert.equal(anna.send('x').status, 'sending')
  await until('they go on', () => [...rooms, late].every(({ messages }) => messages.at(-1).text === 'x'))
})
