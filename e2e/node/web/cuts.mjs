// 500 messages over connections that break again and again.
import assert from 'node:assert/strict'
import { ask, assertUnbroken, clientOf, connected, pause, run, settings, texts, until } from './harness.mjs'

const MESSAGES = 500

await run(async () => {
  const near = clientOf()
  const far = clientOf({ base: settings.proxied })
  const listener = await near.createRoom({ roomName: 'r', username: 'listener' })
  const { roomId } = listener
  const anna = await far.joinRoom({ roomId, username: 'anna' })
  const ben = await far.joinRoom({ roomId, username: 'ben' })
  await connected(listener)
  const seen = [await connected(anna), await connected(ben)]
  const textsOf = name => Array.from({ length: MESSAGES / 2 }, (_, n) => `${name} ${n}`)

  await ask('cut again and again')
  for (let n = 0; n < MESSAGES / 2; n++) {
    anna.send(`anna ${n}`)
    ben.send(`ben ${n}`)
    await pause(10)
  }
  await until('all is sent', () => anna.pending.length + ben.pending.length === 0, 90_000)
  await ask('heal')
  await until('all has arrived', () => [listener, anna, ben].every(({ messages }) => messages.length === MESSAGES), 30_000)

  for (const room of [listener, anna, ben]) {
    assertUnbroken(room.messages)
    assert.equal(room.messages[0].seq, 1)
    for (const name of ['anna', 'ben']) assert.deepEqual(texts(room.messages.filter(({ userId }) => userId === name)), textsOf(name))
  }
  for (const [i, { welcome, gap, ended, message, messages }] of seen.entries()) {
    const received = [...message.map(({ message }) => message), ...messages.flatMap(({ messages }) => messages)]
    assert.equal(new Set(received.map(({ seq }) => seq)).size, received.length, 'a message was received twice')
    assert.deepEqual([gap, ended], [[], []])
    assert.ok(welcome.length > 3, `connected only ${welcome.length} times`)
    assert.ok(welcome.slice(1).every(({ resumed }) => resumed))
    console.error(`${['anna', 'ben'][i]} was connected ${welcome.length} times, and caught up on ${messages.flatMap(({ messages }) => messages).length} messages`)
  }
})
