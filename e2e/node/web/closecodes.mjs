// After which close codes the client reconnects, and when.
import assert from 'node:assert/strict'
import { clientOf, connected, MemoryStorage, pause, run, until } from './harness.mjs'
import { FakeServer, randomOf } from './fake.mjs'

const RETRY = { first: 20, max: 160 }

async function closed(code, reason, retry = RETRY) {
  const server = new FakeServer(randomOf(1), 0)
  const storage = new MemoryStorage()
  const client = clientOf({ base: 'http://fake/', fetch: server.fetch, WebSocket: server.WebSocket, retry, storage })
  const room = await client.createRoom({ roomName: 'r' })
  const seen = await connected(room)
  const since = Date.now()
  const first = server.current
  first.lose(code, reason)
  await until('the loss is noticed', () => room.state !== 'open')
  return { server, room, seen, since, first, storage, last: seen.state.at(-1) }
}

await run(async () => {
  // Never: the room is over for this user.
  for (const [code, reason, ended] of [[4401, 'invalid_session', 'invalid'], [4403, 'removed', 'removed'],
    [4404, 'room_not_found', 'gone'], [4410, 'expired', 'expired'], [4410, 'deleted', 'deleted']]) {
    const { room, seen, storage } = await closed(code, reason)
    assert.deepEqual([room.state, seen.ended], ['ended', [{ reason: ended }]], `${code} ${reason}`)
    assert.equal(storage.length, 0)
  }

  // Not by itself: the user stays a member.
  for (const [code, name] of [[1007, 'invalid_utf8'], [1009, 'frame_too_large'], [4400, 'bad_frame'], [4409, 'replaced']]) {
    const { server, room, last, first, storage } = await closed(code, name)
    assert.deepEqual(last, { state: 'closed', retryAt: null, code: name })
    const pending = room.send('for later')
    await pause(3 * RETRY.max)
    assert.equal(server.current, first, `came back after ${code}`)
    assert.equal(storage.length, 1)
    room.connect()
    await until('it has arrived', () => room.messages.length === 1)
    assert.equal(room.messages[0].id, pending.id)
    room.close()
  }

  // Soon, or after others may have left.
  for (const [code, name, least, most] of [[1006, 'network', 10, 20], [1000, 'network', 10, 20], [1011, 'internal_error', 10, 20],
    [1013, 'unavailable', 10, 20], [4408, 'join_timeout', 10, 20], [4503, 'too_slow', 10, 20],
    [4413, 'room_full', 5010, 5020], [4429, 'too_fast', 5010, 5020]]) {
    const { server, room, last, first, since } = await closed(code, name)
    assert.deepEqual([last.state, last.code, room.retryAt], ['waiting', name, last.retryAt], `${code}`)
    const wait = last.retryAt - since
    assert.ok(wait >= least - 1 && wait <= most + 50, `after ${code} it waits ${wait} ms`)
    if (least < 1000) await until('it is back', () => room.state === 'open' && server.current !== first)
    else {
      room.wake() // which must not shorten the server's wait
      await pause(50)
      assert.equal(room.state, 'waiting')
    }
    room.close()
    assert.equal(room.state, 'closed')
  }

  // After the server's wait, and not sooner when the network returns.
  const { server, room, last, first, since } = await closed(1001, 'retry=700')
  assert.ok(Math.abs(last.retryAt - since - 700) < 50)
  assert.equal(last.code, 'going_away')
  room.wake()
  await pause(300)
  assert.equal(room.state, 'waiting')
  await until('it is back', () => room.state === 'open' && server.current !== first)
  assert.ok(Date.now() - since >= 690)
  room.close()

  // After growing delays up to the limit while attempts fail, or at once when woken.
  const dead = await closed(1006, '')
  const waits = []
  dead.room.on('state', ({ state, retryAt }) => {
    if (state === 'waiting') waits.push(retryAt - Date.now())
    if (state === 'connecting') setTimeout(() => dead.server.current?.lose(1006), 1)
  })
  const Real = dead.server.WebSocket.prototype
  Real.send = function () { this.connection.lose(1006) } // every join fails
  await until('it has tried several times', () => waits.length >= 6)
  assert.ok(waits[0] <= 41 && waits.at(-1) > 60 && Math.max(...waits) <= 161, `waits of ${waits} ms`)
  assert.ok(new Set(waits).size > 2, `waits of ${waits} ms are not random`)
  delete Real.send
  dead.room.close()

  const patient = await closed(1006, '', { first: 60_000, max: 60_000 })
  assert.equal(patient.room.state, 'waiting')
  patient.room.wake()
  await until('it is back', () => patient.room.state === 'open')
  patient.room.close()
})
