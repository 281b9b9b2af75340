// Nodes and Redis are restarted below the feet of two who talk.
import assert from 'node:assert/strict'
import { ask, assertUnbroken, clientOf, connected, run, texts, until } from './harness.mjs'

await run(async () => {
  const client = clientOf()
  const anna = await client.createRoom({ roomName: 'r', username: 'anna' })
  const ben = await client.joinRoom({ roomId: anna.roomId, username: 'ben' })
  const rooms = [anna, ben]
  const seen = [await connected(anna), await connected(ben)]
  const said = []
  const say = (room, text) => {
    said.push(text)
    room.send(text)
  }
  const settled = what => until(what, () => rooms.every(({ messages, pending }) => messages.length === said.length && pending.length === 0), 40_000)
  say(anna, 'before')
  await settled('it is heard')

  for (let round = 1; round <= 2; round++) {
    // The node says that it stops, and when to come back.
    await ask('stop node')
    await until('both are offline', () => rooms.every(({ state }) => state !== 'open'))
    assert.ok(seen.every(({ state }) => state.some(({ code }) => code === 'going_away')))
    const pending = anna.send(`without a node ${round}`)
    said.push(pending.text)
    say(anna, `and another ${round}`)
    assert.equal(pending.status, 'sending')
    await ask('start node')
    await settled('they go on after the node is back')
    say(ben, `after node ${round}`)
    await settled('it is heard')

    // The node is killed, which says nothing.
    await ask('kill node')
    say(ben, `while the node is dead ${round}`)
    await ask('start node')
    await settled('they go on after the node was killed')

    // Redis is killed: the node lives on, and cannot store.
    await ask('kill redis')
    say(anna, `without Redis ${round}`)
    say(ben, `me neither ${round}`)
    await until('nothing fails for that', () => rooms.every(({ pending }) => pending.length === 1 && pending[0].status === 'sending'))
    await ask('start redis')
    await settled('they go on after Redis is back')
  }
  for (const room of rooms) {
    assertUnbroken(room.messages)
    assert.deepEqual(texts(room.messages).sort(), [...said].sort())
  }
  assert.deepEqual(texts(anna.messages), texts(ben.messages))
  for (const { gap, ended, welcome } of seen) {
    assert.deepEqual([gap, ended], [[], []])
    assert.ok(welcome.slice(1).every(({ resumed }) => resumed))
  }
})
