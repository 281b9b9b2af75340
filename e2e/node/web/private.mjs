// A private room: the data that the server has, and the attacks that it can try.
import assert from 'node:assert/strict'
import { ask, assertRefused, clientOf, connected, MemoryStorage, run, settings, texts, until } from './harness.mjs'

const byteLength = text => Buffer.byteLength(text)

await run(async () => {
  const storage = new MemoryStorage()
  const client = clientOf({ storage })
  const anna = await client.createRoom({ roomName: 'r', username: 'anna', private: true })
  const { roomId, key } = anna
  assert.match(key, /^[\w-]{43}$/)
  assert.equal(anna.private, true)
  await assertRefused(client.joinRoom({ roomId, key: key.slice(1) }), 'invalid_key', 0)
  await assertRefused(client.joinRoom({ roomId, key: '!'.repeat(43) }), 'invalid_key', 0)
  const other = await client.createRoom({ roomName: 'other', username: 'anna', private: true })
  assert.notEqual(other.key, key)

  const others = clientOf({ base: settings.bases.at(-1) })
  const ben = await others.joinRoom({ roomId, key, username: 'ben' })
  const keyless = await others.joinRoom({ roomId, username: 'keyless' })
  const wrong = await others.joinRoom({ roomId, key: other.key, username: 'wrong' })
  const rooms = [anna, ben, keyless, wrong]
  for (const room of rooms) await connected(room)
  assert.deepEqual([keyless.private, keyless.key, wrong.private], [false, null, true])

  const SECRETS = ['meet me at noon', 'Grüße, 世界 👋\n', 'x']
  for (const text of SECRETS) anna.send(text)
  await until('all have arrived', () => rooms.every(({ messages }) => messages.length === 3))
  for (const room of [anna, ben]) {
    assert.deepEqual(texts(room.messages), SECRETS)
    assert.ok(room.messages.every(({ sealed }) => sealed === 'open'))
  }
  for (const room of [keyless, wrong]) {
    assert.deepEqual(texts(room.messages), ['', '', ''])
    assert.ok(room.messages.every(({ sealed }) => sealed === 'undecipherable'))
  }

  // A message of a member without the key is marked.
  keyless.send('in the open')
  await until('it has arrived', () => rooms.every(({ messages }) => messages.length === 4))
  assert.deepEqual([ben.messages[3].text, ben.messages[3].sealed], ['in the open', 'plain'])
  assert.deepEqual([keyless.messages[3].text, keyless.messages[3].sealed], ['in the open', undefined])

  // The longest message, and a longer one.
  const longest = 'é'.repeat(Math.floor(ben.maxLength / 2))
  assert.ok(ben.maxLength > 3000 && ben.maxLength < 3072 && byteLength(longest) >= ben.maxLength - 1)
  ben.send(longest)
  ben.send('y'.repeat(ben.maxLength))
  assert.equal(ben.send('y'.repeat(ben.maxLength + 1)).code, 'message_too_long')
  await until('they have arrived', () => rooms.every(({ messages }) => messages.length === 6))
  assert.deepEqual(texts(anna.messages).slice(4), [longest, 'y'.repeat(ben.maxLength)])

  // Neither the server nor Redis has texts or the key, nor has the browser's storage.
  const kept = await ask('contents')
  assert.ok(kept.includes('in the open') && kept.includes(roomId), 'that is not what Redis has')
  for (const secret of [...SECRETS.slice(0, 2), '世界', key, longest.slice(0, 100), 'yyyyyyyy']) {
    assert.ok(!kept.includes(secret), `Redis has ${secret.slice(0, 20)}`)
    assert.ok(!storage.text.includes(secret))
  }
  assert.equal(kept.split('"eph1.').length - 1, 5)
  assert.ok(!(await ask('logged')).includes(key))

  // The server changes messages, and moves them to another name or another room.
  await connected(other)
  other.send('in the other room')
  await until('it is stored', () => other.messages.length === 1)
  await ask('tamper', roomId, other.roomId)
  const late = await others.joinRoom({ roomId, key, username: 'late' })
  await connected(late)
  assert.deepEqual(late.messages.map(({ text, sealed }) => [text, sealed]), [
    ['meet me at noon', 'open'], // as it was
    ['', 'undecipherable'], // one character is another
    ['', 'undecipherable'], // anna's words in ben's mouth
    ['in the open', 'plain'],
    ['', 'undecipherable'], // from the other room, by the same sender
    ['y'.repeat(ben.maxLength), 'open'],
  ])

  // After a reload the link has the key.
  anna.close()
  const again = await client.restore(roomId, { key })
  await connected(again)
  assert.equal(again.messages[0].text, 'meet me at noon')
  again.send('back')
  await until('it has arrived', () => ben.messages.at(-1).text === 'back')
  assert.deepEqual([ben.messages.at(-1).sealed, ben.messages.at(-1).userId], ['open', 'anna'])
})
