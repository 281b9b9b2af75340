// One user in several tabs, and after a reload.
import assert from 'node:assert/strict'
import { clientOf, connected, MemoryStorage, pause, run, settings, texts, until } from './harness.mjs'

await run(async () => {
  const storage = new MemoryStorage()
  const first = clientOf({ storage })
  const anna = await clientOf({ storage: new MemoryStorage() }).createRoom({ roomName: 'r', username: 'anna' })
  const { roomId } = anna
  await connected(anna)
  assert.equal(await first.restore(roomId), null)

  const ben = await first.joinRoom({ roomId, username: 'ben' })
  const benSeen = await connected(ben)
  ben.send('from the first tab')
  await until('it has arrived', () => ben.messages.length === 1)

  // A second tab and its duplicate are the same user, and don't replace the first.
  const tabs = []
  for (const base of [settings.bases.at(-1), settings.bases[0]]) {
    const tab = await clientOf({ storage, base: settings.bases[0] }).restore(roomId)
    assert.deepEqual([tab.userId, tab.role], ['ben', 'member'])
    tabs.push([tab, await connected(tab), base])
  }
  const [[second, secondSeen], [third]] = tabs
  assert.deepEqual(texts(second.messages), ['from the first tab'])
  assert.deepEqual([second.messages[0].mine, second.messages[0].id], [true, undefined])
  for (const tab of [ben, second, third]) {
    tab.send(`${tab.messages.length} loaded`)
    await until('all tabs have it', () => tab.pending.length === 0 && [ben, second, third].every(({ messages }) => messages.length === tab.messages.length))
  }
  assert.deepEqual(texts(third.messages), ['from the first tab', '1 loaded', '2 loaded', '3 loaded'])
  assert.ok(third.messages.every(({ mine }) => mine))
  await until('anna sees one person', () => anna.onlineCount === 2)
  assert.equal(third.onlineCount, 2)
  await pause(300)
  for (const seen of [benSeen, secondSeen]) assert.deepEqual(seen.state.map(({ state }) => state), ['connecting', 'open'])

  // After a reload the page is the same user.
  third.close()
  assert.equal(third.state, 'closed')
  const reloaded = await clientOf({ storage }).restore(roomId)
  await connected(reloaded)
  assert.deepEqual([reloaded.userId, texts(reloaded.messages)], ['ben', texts(second.messages)])
  reloaded.send('after the reload')
  await until('it has arrived', () => anna.messages.at(-1).text === 'after the reload')

  // A closed room can connect again, and resumes.
  third.connect()
  await until('it has what was missed', () => third.messages.at(-1)?.text === 'after the reload')
  assert.equal(third.messages.length, 5)

  // The storage has the credentials, and nothing else.
  assert.equal(storage.length, 1)
  const value = JSON.parse(storage.getItem(storage.key(0)))
  assert.deepEqual(Object.keys(value).sort(), ['expiresAt', 'sessionId', 'userId'])
  assert.deepEqual([value.userId, value.expiresAt], ['ben', ben.expiresAt])
  assert.ok(!storage.text.includes('tab') && !storage.text.includes('loaded'))

  // A removed member is removed in all tabs.
  const all = [ben, second, third, reloaded]
  await anna.removeMember('ben')
  await until('all tabs know', () => all.every(({ state }) => state === 'ended'))
  assert.deepEqual(benSeen.ended, [{ reason: 'removed' }])
  assert.equal(storage.length, 0)
  assert.equal(await first.restore(roomId), null)
})
