// A connection that dies without a close.
import assert from 'node:assert/strict'
import { ask, clientOf, connected, run, settings, texts, until } from './harness.mjs'

await run(async () => {
  const anna = await clientOf().createRoom({ roomName: 'r', username: 'anna' })
  const ben = await clientOf({ base: settings.proxied }).joinRoom({ roomId: anna.roomId, username: 'ben' })
  await connected(anna)
  const seen = await connected(ben)

  // A probe of a working connection changes nothing.
  ben.wake()
  ben.send('one')
  await until('it has arrived', () => anna.messages.length === 1)
  assert.equal(seen.state.length, 2)

  await ask('silence')
  ben.send('two')
  anna.send('three')
  assert.equal(ben.state, 'open')
  const since = performance.now()
  ben.wake() // as when the page becomes visible
  await until('the dead connection is detected', () => ben.state === 'waiting', 10_000)
  const noticed = performance.now() - since
  assert.ok(noticed > 4_000, `given up after ${noticed} ms`)
  assert.equal(seen.state.at(-1).code, 'network')
  await ask('heal')
  await until('all has arrived', () => ben.pending.length === 0 && ben.messages.length === 3)
  assert.deepEqual(texts(ben.messages).sort(), ['one', 'three', 'two'])
  assert.deepEqual(texts(anna.messages), texts(ben.messages))
})
