// Messages that are lost, or that the room keeps no longer.
import assert from 'node:assert/strict'
import { ask, assertUnbroken, clientOf, connected, run, settings, texts, until } from './harness.mjs'

/** More messages than the room keeps. */
const MANY = 60

await run(async () => {
  const anna = await clientOf().createRoom({ roomName: 'r', username: 'anna' })
  const ben = await clientOf({ base: settings.proxied }).joinRoom({ roomId: anna.roomId, username: 'ben' })
  const rooms = [anna, ben]
  const annaSeen = await connected(anna)
  const benSeen = await connected(ben)
  const delivered = (what, count) => until(what, () => rooms.every(({ messages, pending }) =>
    pending.length === 0 && messages.at(-1)?.seq === count), 40_000)
  for (let n = 1; n <= 5; n++) anna.send(`number ${n}`)
  await delivered('all have arrived', 5)

  // Ben is disconnected for longer than the room keeps messages.
  await ask('cut')
  await until('ben is offline', () => ben.state === 'waiting')
  ben.send('sent while away')
  for (let n = 6; n <= MANY; n++) anna.send(`number ${n}`)
  await until('all are stored', () => anna.messages.length === MANY)
  await ask('heal')
  await delivered('ben is back', MANY + 1)
  assert.deepEqual([benSeen.welcome.at(-1), benSeen.gap.length], [{ resumed: false, gap: true }, 1])
  assertUnbroken(ben.messages)
  assert.ok(ben.messages[0].seq > 6 && !ben.more, `the first is ${ben.messages[0].seq}`)
  const newest = texts(ben.messages)
  assert.deepEqual(newest, texts(anna.messages).slice(-newest.length))
  assert.equal(newest.at(-1), 'sent while away')
  assert.equal(annaSeen.gap.length, 0)

  // Redis loses the messages since its last save. Connected clients get a gap, and then
  // show the room as it is.
  await ask('save redis')
  for (let n = 1; n <= 5; n++) ben.send(`to be lost ${n}`)
  await delivered('all have arrived', MANY + 6)
  await ask('kill redis')
  await ask('start redis')
  await until('both know of the loss', () => annaSeen.gap.length === 1 && benSeen.gap.length === 2, 40_000)
  for (const room of rooms) {
    assertUnbroken(room.messages)
    assert.deepEqual([texts(room.messages).at(-1), room.state], ['sent while away', 'open'])
  }
  anna.send('after the loss')
  ben.send('me too')
  await delivered('they go on', MANY + 3)
  assert.deepEqual(texts(anna.messages).slice(-2).sort(), ['after the loss', 'me too'])

  // The same for a client that is disconnected at that time.
  await ask('save redis')
  anna.send('to be lost as well')
  await delivered('it has arrived', MANY + 4)
  await ask('cut')
  await until('ben is offline', () => ben.state === 'waiting')
  await ask('kill redis')
  await ask('start redis')
  await until('anna knows of the loss', () => annaSeen.gap.length === 2, 40_000)
  await ask('heal')
  await until('ben is back and knows', () => benSeen.gap.length === 3, 20_000)
  assert.deepEqual(benSeen.welcome.at(-1), { resumed: false, gap: true })
  ben.send('here again')
  await delivered('they go on', MANY + 4)
  for (const room of rooms) assert.equal(texts(room.messages).at(-1), 'here again')
})
