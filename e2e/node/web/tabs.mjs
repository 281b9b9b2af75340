// One person in several tabs, and after a reload.
import assert from 'node:assert/strict'
import { clientOf, connected, Memory, pause, run, settings, texts, until } from './harness.mjs'

await run(async () => {
  const storage = new Memory()
  const first = clientOf({ storage })
  const anna = await clientOf({ storage: new Memory() }).createRoom({ roomName: 'r', username: 'anna' })
  const { roomId } = anna
  await connected(anna)
  assert.equal(await first.restore(roomId), null)

  const ben = await first.joinRoom({ roomId, username: 'ben' })
  const benSeen = await connected(ben)
  ben.send('from the first tab')
  await until('it is heard', () => ben.messages.length === 1)

  // A second tab, and one that is a duplicate of it, are the same person and leave
  // the first alone.
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
    tab.send(`${tab.messages.length} at hand`)
    await until('all tabs have it', () => tab.pending.length === 0 && [ben, second, third].every(({ messages }) => messages.length === tab.messages.length))
  }
  assert.deepEqual(texts(third.messages), ['from the first tab', '1 at hand', '2 at hand', '3 at hand'])
  assert.ok(third.messages.every(({ mine }) => mine))
  await until('anna sees one person', () => anna.onlineCount === 2)
  assert.equal(third.onlineCount, 2)
  await pause(300)
  for (const seen of [benSeen, secondSeen]) assert.deepEqual(seen.state.map(({ state }) => state), ['connecting', 'open'])

  // A reload: the page goes, and comes back as who it was.
  third.close()
  assert.equal(third.state, 'closed')
  const reloaded = await clientOf({ storage }).restore(roomId)
  await connected(reloaded)
  assert.deepEqual([reloaded.userId, texts(reloaded.messages)], ['ben', texts(second.messages)])
  reloaded.send('after the reload')
  await until('it is heard', () => anna.messages.at(-1).text === 'after the reload')

  // A room that was closed can be opened again, and goes on where it was.
  third.connect()
  await until('it has what was missed', () => third.messages.at(-1)?.text === 'after the reload')
  assert.equal(third.messages.length, 5)

  // The browser knows who one is, and nothing else.
  assert.equal(storage.length, 1)
  const value = JSON.parse(storage.getItem(storage.key(0)))
  assert.deepEqual(Object.keys(value).sort(), ['expiresAt', 'sessionId', 'userId'])
  assert.deepEqual([value.userId, value.expiresAt], ['ben', ben.expiresAt])
  assert.ok(!storage.text.includes('tab') && !storage.text.includes('at hand'))

  // A member who is removed is so in all tabs.
  const all = [ben, second, third, reloaded]
  await anna.removeMember('ben')
  await until('all tabs know', () => all.every(({ state }) => state === 'ended'))
  assert.deepEqual(benSeen.ended, [{ reason: 'removed' }])
  assert.equal(storage.length, 0)
  assert.equal(await first.restore(roomId), null)
})
