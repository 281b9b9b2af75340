// Users send faster than the site allows: three messages a second.
import assert from 'node:assert/strict'
import WebSocket from 'ws'
import { clientOf, connected, run, texts, until } from './harness.mjs'

/** A WebSocket that hides the server's limits from the client. */
class Unsuspecting extends WebSocket {
  static refused = []
  set onmessage(handle) {
    super.onmessage = handle && (({ data }) => {
      const frame = JSON.parse(data)
      if (frame.type === 'welcome') frame.messageRate = null
      if (frame.type === 'error') Unsuspecting.refused.push(frame)
      handle({ data: JSON.stringify(frame) })
    })
  }
}

/** A WebSocket that counts refusals. */
class Counting extends WebSocket {
  static refused = 0
  set onmessage(handle) {
    super.onmessage = handle && (event => {
      if (JSON.parse(event.data).type === 'error') Counting.refused++
      handle(event)
    })
  }
}

await run(async () => {
  const anna = await clientOf({ WebSocket: Counting }).createRoom({ roomName: 'r', username: 'anna' })
  const ben = await clientOf({ WebSocket: Unsuspecting }).joinRoom({ roomId: anna.roomId, username: 'ben' })
  const seen = [await connected(anna), await connected(ben)]
  const textsOf = name => Array.from({ length: 12 }, (_, n) => `${name} ${n}`)
  for (const text of textsOf('anna')) anna.send(text)
  for (const text of textsOf('ben')) ben.send(text)
  await until('all have arrived', () => [anna, ben].every(({ messages, pending }) => messages.length === 24 && pending.length === 0))
  for (const room of [anna, ben]) {
    assert.deepEqual(texts(room.messages.filter(({ userId }) => userId === 'anna')), textsOf('anna'))
    assert.deepEqual(texts(room.messages.filter(({ userId }) => userId === 'ben')), textsOf('ben'))
  }
  for (const { pending } of seen) {
    assert.ok(pending.every(({ pending }) => pending.every(({ status }) => status === 'sending')), 'something was shown as failed')
  }
  // Ben was refused, each time with another id, and sent again. Anna kept below the
  // limit.
  const { refused } = Unsuspecting
  assert.ok(refused.length > 0)
  assert.ok(refused.every(({ code }) => code === 'rate_limited'), JSON.stringify(refused))
  assert.equal(new Set(refused.map(({ id }) => id)).size, refused.length)
  assert.equal(Counting.refused, 0)
  console.error(`${refused.length} refusals`)
})
