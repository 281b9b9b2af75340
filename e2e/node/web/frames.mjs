// Rare frames, and rare orders of frames.
import assert from 'node:assert/strict'
import { assertUnbroken, clientOf, connected, MemoryStorage, run, texts, until, watch } from './harness.mjs'
import { FakeServer, randomOf } from './fake.mjs'

async function make(options = {}) {
  const server = new FakeServer(randomOf(1), 0)
  const storage = new MemoryStorage()
  const client = clientOf({ base: 'http://fake/chat', fetch: server.fetch, WebSocket: server.WebSocket, storage, ...options })
  return { server, storage, client, room: await client.createRoom({ roomName: 'r' }) }
}

async function join() {
  const made = await make()
  return { ...made, seen: await connected(made.room) }
}

/** Waits until a room has handled all frames that the server has sent. */
async function processed(server, seen) {
  const before = seen.typing.length
  server.current.send({ type: 'typing', userId: 'marker' })
  await until('the marker is handled', () => seen.typing.length > before)
}

const time = '2026-01-01T00:00:00.000Z'

await run(async () => {
  // Presence, above 100 users and below again.
  {
    const { server, room, seen } = await join()
    const send = frame => server.current.send(frame)
    send({ type: 'joined', userId: 'ben' })
    send({ type: 'joined', userId: 'ben' })
    send({ type: 'joined', userId: 'carla' })
    send({ type: 'left', userId: 'carla' })
    await processed(server, seen)
    assert.deepEqual([[...room.online], room.onlineCount], [['anna', 'ben'], 2])
    assert.deepEqual(seen.online.slice(1), [{ joined: 'ben' }, { joined: 'ben' }, { joined: 'carla' }, { left: 'carla' }])
    send({ type: 'online', onlineCount: 150 })
    await processed(server, seen)
    assert.equal(room.onlineCount, 150)
    send({ type: 'online', onlineCount: 100 })
    send({ type: 'left', userId: 'never named' })
    send({ type: 'joined', userId: 'dave' })
    send({ type: 'left', userId: 'ben' })
    await processed(server, seen)
    assert.deepEqual([[...room.online], room.onlineCount], [['anna', 'dave'], 99])

    // Types of a later version.
    send({ type: 'fanfare', loud: true })
    await processed(server, seen)
    assert.equal(room.state, 'open')
    room.close()
  }

  // The end may precede the welcome.
  for (const [frame, code, reason] of [[{ type: 'removed' }, 4403, 'removed'], [{ type: 'ended', reason: 'expired' }, 4410, 'expired']]) {
    const { server, room, storage } = await make()
    server.greet = connection => {
      connection.send(frame)
      connection.lose(code, reason)
    }
    const seen = watch(room)
    await until('it has ended', () => room.state === 'ended')
    assert.deepEqual([seen.ended, seen.welcome, storage.length], [[{ reason }], [], 0])
  }

  // Messages that are posted while the server makes a welcome follow it in a replay: its
  // `seq` counts them.
  {
    const { server, room } = await make()
    server.late = true
    server.kept.push({ seq: 1, message: 'while anna joined', userId: 'ben', timestamp: time })
    const seen = await connected(room)
    await until('the first message is there', () => room.messages.length === 1)
    server.kept.push({ seq: 2, message: 'while anna returned', userId: 'ben', timestamp: time })
    server.current.lose(1006)
    await until('the second message is there', () => room.messages.length === 2)
    await processed(server, seen)
    assert.deepEqual(texts(room.messages), ['while anna joined', 'while anna returned'])
    assert.deepEqual([seen.welcome, seen.gap], [[{ resumed: false, gap: false }, { resumed: true, gap: false }], []])
    room.close()
  }

  // Messages arrive during a request for others, and gaps while gaps are filled.
  {
    const { server, room, seen } = await join()
    for (const text of ['one', 'two', 'three']) room.send(text)
    await until('they have arrived', () => room.messages.length === 3)
    // A message is missing, which no correct server causes.
    server.kept.push({ seq: 4, message: 'not sent', userId: 'ben', timestamp: time }, { seq: 5, message: 'sent', userId: 'ben', timestamp: time })
    server.current.send({ type: 'message', ...server.kept[4] })
    await until('the gap is filled', () => room.messages.length === 5)
    assert.deepEqual(texts(room.messages), ['one', 'two', 'three', 'not sent', 'sent'])
    assert.equal(seen.gap.length, 1)
    server.current.send({ type: 'gap', epoch: 'f', seq: 5 })
    server.current.send({ type: 'gap', epoch: 'g', seq: 5 })
    server.kept.push({ seq: 6, message: 'meanwhile', userId: 'ben', timestamp: time })
    server.current.send({ type: 'message', ...server.kept[5] })
    server.current.send({ type: 'retracted', seq: 5 })
    server.kept[4] = { ...server.kept[4], message: '', retracted: true }
    await until('all is there', () => room.messages.length === 6 && seen.gap.length === 2)
    await processed(server, seen)
    assert.deepEqual([texts(room.messages), seen.gap.length], [['one', 'two', 'three', 'not sent', '', 'meanwhile'], 2])
    assertUnbroken(room.messages)
    room.close()
  }

  // A text without well-formed UTF-8 is sent with replacement characters.
  {
    const { server, room } = await join()
    room.send('\ud800')
    await until('it is answered', () => room.pending.length === 0)
    assert.equal(server.kept.length, 1)
    room.close()
  }

  // More messages than the client keeps.
  {
    const { server, room, seen } = await join()
    const COUNT = 10_500
    for (let seq = 1; seq <= COUNT; seq++) {
      server.kept.push({ seq, message: `number ${seq}`, userId: 'ben', timestamp: time })
      server.current.send({ type: 'message', ...server.kept.at(-1) })
    }
    await until('all have arrived', () => room.messages.at(-1)?.seq === COUNT)
    const dropped = seen.messages.filter(({ where }) => where === 'dropped').flatMap(({ messages }) => messages)
    assertUnbroken([...dropped, ...room.messages])
    assert.deepEqual([dropped.length + room.messages.length, dropped[0].seq, room.more], [COUNT, 1, true])
    assert.ok(room.messages.length > 8_000 && room.messages.length <= 10_000)
    room.close()
  }

  // The browser comes online, or the page becomes visible: a waiting client reconnects
  // at once. A closed room removes its listeners.
  {
    const world = new EventTarget()
    const page = Object.assign(new EventTarget(), { visibilityState: 'hidden' })
    let listening = 0
    for (const target of [world, page]) {
      const { addEventListener, removeEventListener } = EventTarget.prototype
      target.addEventListener = (...args) => { listening++; addEventListener.apply(target, args) }
      target.removeEventListener = (...args) => { listening--; removeEventListener.apply(target, args) }
    }
    globalThis.addEventListener = world.addEventListener
    globalThis.removeEventListener = world.removeEventListener
    globalThis.document = page
    const { server, room } = await make({ retry: { first: 60_000, max: 60_000 } })
    await connected(room)
    assert.ok(listening > 0)
    for (const wake of [
      () => world.dispatchEvent(new Event('online')),
      () => world.dispatchEvent(new Event('pageshow')),
      () => { page.visibilityState = 'visible'; page.dispatchEvent(new Event('visibilitychange')) },
    ]) {
      server.current.lose(1006)
      await until('it waits', () => room.state === 'waiting')
      page.visibilityState = 'hidden'
      page.dispatchEvent(new Event('visibilitychange'))
      assert.equal(room.state, 'waiting')
      wake()
      await until('it is back', () => room.state === 'open')
    }
    const pings = server.faults.get('ping') ?? 0
    world.dispatchEvent(new Event('offline'))
    await until('it probes its connection', () => server.faults.get('ping') === pings + 1)
    room.close()
    assert.equal(listening, 0)
    room.connect()
    await until('it is back', () => room.state === 'open')
    server.current.send({ type: 'ended', reason: 'deleted' })
    await until('it has ended', () => room.state === 'ended')
    assert.equal(listening, 0)
  }

  // The browser denies storage.
  {
    const refuse = () => { throw new Error('no') }
    const broken = { getItem: refuse, setItem: refuse, removeItem: refuse, key: refuse, length: 1 }
    const { client, room } = await make({ storage: broken })
    await connected(room)
    assert.equal(await client.restore('room'), null)
    assert.deepEqual(await client.sweep(), [])
    room.close()
  }
})
