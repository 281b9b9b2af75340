// Nodes and Redis restart while two users chat.
import assert from 'node:assert/strict'
import { ask, assertUnbroken, clientOf, connected, run, texts, until } from './harness.mjs'

await run(async () => {
  const client = clientOf()
  const anna = await client.createRoom({ roomName: 'r', username: 'anna' })
  const ben = await client.joinRoom({ roomId: anna.roomId, username: 'ben' })
  const rooms = [anna, ben]
  const seen = [await connected(anna), await connected(ben)]
  const sent = []
  const send = (room, text) => {
    sent.push(text)
    room.send(text)
  }
  const delivered = what => until(what, () => rooms.every(({ messages, pending }) => messages.length === sent.length && pending.length === 0), 40_000)
  send(anna, 'before')
  await delivered('it has arrived')

  for (let round = 1; round <= 2; round++) {
    // The node stops, and announces when to reconnect.
    await ask('stop node')
    await until('both are offline', () => rooms.every(({ state }) => state !== 'open'))
    assert.ok(seen.every(({ state }) => state.some(({ code }) => code === 'going_away')))
    const pending = anna.send(`without a node ${round}`)
    sent.push(pending.text)
    send(anna, `and another ${round}`)
    assert.equal(pending.status, 'sending')
    await ask('start node')
    await delivered('they go on after the node is back')
    send(ben, `after node ${round}`)
    await delivered('it has arrived')

    // The node is killed, without a close frame.
    await ask('kill node')
    send(ben, `while the node is dead ${round}`)
    await ask('start node')
    await delivered('they go on after the node was killed')

    // Redis is killed: the node runs on, but cannot store messages.
    await ask('kill redis')
    send(anna, `without Redis ${round}`)
    send(ben, `me neither ${round}`)
    await until('nothing fails for that', () => rooms.every(({ pending }) => pending.length === 1 && pending[0].status === 'sending'))
    await ask('start redis')
    await delivered('they go on after Redis is back')
  }
  for (const room of rooms) {
    assertUnbroken(room.messages)
    assert.deepEqual(texts(room.messages).sort(), [...sent].sort())
  }
  assert.deepEqual(texts(anna.messages), texts(ben.messages))
  for (const { gap, ended, welcome } of seen) {
    assert.deepEqual([gap, ended], [[], []])
    assert.ok(welcome.slice(1).every(({ resumed }) => resumed))
  }
})
