// In every order of refusals, losses and echoes, the room stores each message once and
// in order, and the client shows none twice and none wrongly as failed.
import assert from 'node:assert/strict'
import { clientOf, connected, pause, run, texts, until } from './harness.mjs'
import { FakeServer, randomOf } from './fake.mjs'

const SEEDS = 400
const TOGETHER = 50
const MESSAGES = 15

const faults = new Map()

async function once(seed) {
  const random = randomOf(seed)
  const server = new FakeServer(random, random() < 0.2 ? 0.9 : 0.4)
  const client = clientOf({ base: 'http://fake/', fetch: server.fetch, WebSocket: server.WebSocket, retry: { first: 1, max: 4 } })
  const room = await client.createRoom({ roomName: 'r' })
  const sent = []
  const forbidden = []
  const shown = new Map() // by seq
  const show = message => {
    assert.ok(!shown.has(message.seq), `${message.seq} is shown twice`)
    shown.set(message.seq, message)
  }
  room.on('message', ({ message }) => show(message))
  room.on('messages', ({ messages }) => messages.forEach(show))
  const all = () => {
    shown.clear()
    room.messages.forEach(message => shown.set(message.seq, message))
  }
  room.on('gap', all)
  room.on('welcome', ({ resumed }) => resumed || all())
  // Pending are the messages that are not in the room yet, in the order sent.
  room.on('pending', ({ pending }) => {
    const waiting = pending.filter(({ text }) => text !== 'FORBIDDEN').map(({ text }) => text)
    const from = sent.length - waiting.length
    assert.deepEqual(waiting, sent.slice(from))
  })
  await connected(room)
  for (let n = 0; n < MESSAGES; n++) {
    if (random() < 0.1) {
      forbidden.push(room.send('FORBIDDEN'))
      await until('it fails', () => forbidden.at(-1).status === 'failed')
    }
    sent.push(`number ${n}`)
    room.send(`number ${n}`)
    if (random() < 0.3) await pause(random() * 5)
    if (random() < 0.1) server.current.lose(1006)
  }
  await until('all is sent', () => room.pending.every(({ status }) => status === 'failed'))
  await until('all has arrived', () => room.messages.length === server.kept.length)
  room.close()

  const mine = server.kept.filter(({ userId }) => userId === 'anna')
  assert.deepEqual(mine.map(({ message }) => message), sent)
  assert.deepEqual(texts(room.messages), server.kept.map(({ message }) => message))
  assert.deepEqual([...shown.keys()].sort((a, b) => a - b), server.kept.map(({ seq }) => seq))
  assert.deepEqual(room.pending, forbidden)
  assert.ok(forbidden.every(({ code }) => code === 'message_too_long'))
  const ids = room.messages.map(({ id }) => id).filter(id => id !== undefined)
  assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b))
  for (const [what, times] of server.faults) faults.set(what, (faults.get(what) ?? 0) + times)
}

await run(async () => {
  for (let seed = 1; seed <= SEEDS;) {
    // They run together, since each mostly waits.
    await Promise.all(Array.from({ length: TOGETHER }, () => once(seed++)))
  }
  for (const what of ['refused connection', 'ack', 'rate_limited', 'unavailable', 'internal_error', 'unavailable, but stored',
    'lost before it was stored', 'lost before the echo', 'gap instead of the echo', 'lost after the echo', 'message_too_long']) {
    assert.ok(faults.get(what) > 10, `${what} happened ${faults.get(what)} times`)
  }
  console.error(JSON.stringify(Object.fromEntries(faults)))
})
