// Links on which nothing is heard. Time passes fifty times as fast as for others,
// so that a link may be quiet for long.
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
  // A server that is there is asked now and then, and no more than that.
  {
    const { server, room, seen } = await join()
    await pause(3_300) // 165 s
    const asked = server.happened.get('ping') ?? 0
    assert.ok(asked >= 3 && asked <= 5, `asked ${asked} times`)
    assert.equal(seen.state.length, 2)
    room.close()
    await pause(1_200)
    assert.equal(server.happened.get('ping'), asked, 'asked after it was closed')
  }

  // One that is not there any more is noticed in 45 s.
  {
    const { server, room, seen } = await join()
    const first = server.current
    server.mute = true
    const since = performance.now()
    await until('the dead link is noticed', () => room.state === 'waiting')
    const took = performance.now() - since
    assert.ok(took > 850 && took < 2_000, `took ${took * 50} ms`)
    assert.equal(seen.state.at(-1).code, 'network')
    server.mute = false
    await until('it is back', () => room.state === 'open' && server.current !== first)
    room.close()
  }

  // Sooner when an answer is due. What was said is said again.
  {
    const { server, room } = await join()
    server.mute = true
    room.send('said to nobody')
    const since = performance.now()
    await until('the dead link is noticed', () => room.state === 'waiting')
    const took = performance.now() - since
    assert.ok(took > 250 && took < 800, `took ${took * 50} ms`)
    assert.equal(room.pending[0].status, 'sending')
    server.mute = false
    await until('it is said', () => room.messages.length === 1 && room.pending.length === 0)
    room.close()
  }

  // A server that never welcomes is given up in time.
  {
    const { server, room, seen } = await join()
    server.mute = true
    server.current.lose(1006)
    await until('it has tried again and given up', () => seen.state.filter(({ state }) => state === 'waiting').length >= 3)
    server.mute = false
    await until('it is back', () => room.state === 'open')
    room.close()
  }

  // An echo that is lost, though the link is alive: it is said again, and was stored once.
  {
    const { server, room, seen } = await join()
    server.forgetful = true
    room.send('once')
    await until('it is stored', () => server.kept.length === 1)
    server.forgetful = false
    server.current.tell({ type: 'typing', userId: 'ben' })
    await until('it is acknowledged', () => room.pending.length === 0)
    room.send('more')
    await until('they go on', () => room.messages.at(-1)?.text === 'more')
    assert.deepEqual(texts(room.messages), ['once', 'more'])
    assert.deepEqual(server.kept.map(({ message }) => message), ['once', 'more'])
    assert.equal(seen.state.length, 2)
    room.close()
  }
})
