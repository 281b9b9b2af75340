// Connections without frames. Timers run fifty times as fast, so that a connection can
// be quiet for long.
const realTimeout = globalThis.setTimeout
globalThis.setTimeout = (call, wait = 0, ...args) => realTimeout(call, wait / 50, ...args)

const assert = (await import('node:assert/strict')).default
const { clientOf, connected, run, texts, until } = await import('./harness.mjs')
const { FakeServer, randomOf } = await import('./fake.mjs')

const pause = wait => new Promise(resolve => realTimeout(resolve, wait))

async function join() {
  const server = new FakeServer(randomOf(1), 0)
  const room = await clientOf({ base: 'http://fake/', fetch: server.fetch, WebSocket: server.WebSocket }).createRoom({ roomName: 'r' })
  return { server, room, seen: await connected(room) }
}

await run(async () => {
  // A live server is pinged now and then, and not more often.
  {
    const { server, room, seen } = await join()
    await pause(3_300) // 165 s
    const pinged = server.faults.get('ping') ?? 0
    assert.ok(pinged >= 3 && pinged <= 5, `pinged ${pinged} times`)
    assert.equal(seen.state.length, 2)
    room.close()
    await pause(1_200)
    assert.equal(server.faults.get('ping'), pinged, 'pinged after it was closed')
  }

  // A dead one is detected within 45 s.
  {
    const { server, room, seen } = await join()
    const first = server.current
    server.mute = true
    const since = performance.now()
    await until('the dead connection is detected', () => room.state === 'waiting')
    const took = performance.now() - since
    assert.ok(took > 850 && took < 2_000, `took ${took * 50} ms`)
    assert.equal(seen.state.at(-1).code, 'network')
    server.mute = false
    await until('it is back', () => room.state === 'open' && server.current !== first)
    room.close()
  }

  // Sooner when an answer is due. The message is sent again.
  {
    const { server, room } = await join()
    server.mute = true
    room.send('never arrives')
    const since = performance.now()
    await until('the dead connection is detected', () => room.state === 'waiting')
    const took = performance.now() - since
    assert.ok(took > 250 && took < 800, `took ${took * 50} ms`)
    assert.equal(room.pending[0].status, 'sending')
    server.mute = false
    await until('it arrives', () => room.messages.length === 1 && room.pending.length === 0)
    room.close()
  }

  // An attempt without a welcome ends in time.
  {
    const { server, room, seen } = await join()
    server.mute = true
    server.current.lose(1006)
    await until('it has tried again and given up', () => seen.state.filter(({ state }) => state === 'waiting').length >= 3)
    server.mute = false
    await until('it is back', () => room.state === 'open')
    room.close()
  }

  // An echo is lost on a live connection: the message is sent again and stored once.
  {
    const { server, room, seen } = await join()
    server.forgetful = true
    room.send('once')
    await until('it is stored', () => server.kept.length === 1)
    server.forgetful = false
    server.current.send({ type: 'typing', userId: 'ben' })
    await until('it is acknowledged', () => room.pending.length === 0)
    room.send('more')
    await until('they go on', () => room.messages.at(-1)?.text === 'more')
    assert.deepEqual(texts(room.messages), ['once', 'more'])
    assert.deepEqual(server.kept.map(({ message }) => message), ['once', 'more'])
    assert.equal(seen.state.length, 2)
    room.close()
  }
})
