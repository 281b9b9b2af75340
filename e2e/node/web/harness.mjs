// What the scripts in this directory have in common. Each uses web/client.js as a
// page would, with the ws package for its WebSocket, and is run by a test in Go:
// that gives it settings as the first line of standard input, and does what it asks
// for, in lines of JSON both ways.
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { createInterface } from 'node:readline'
import WebSocket from 'ws'

// Node.js 18 does not have these as globals.
globalThis.crypto ??= webcrypto
globalThis.CustomEvent ??= class extends Event {
  constructor(type, init) {
    super(type)
    this.detail = init?.detail
  }
}
const { ChatClient } = await import('../../../web/client/client.js')

const input = createInterface({ input: process.stdin })
const lines = input[Symbol.asyncIterator]()
const nextLine = async () => JSON.parse((await lines.next()).value)

/** What the test says. */
export const settings = await nextLine()

/** Has the test do something, and returns what comes of it. */
export async function ask(name, ...args) {
  process.stdout.write(JSON.stringify({ ask: name, args }) + '\n')
  return nextLine()
}

/** A Storage. */
export class Memory {
  #items
  constructor(items = []) { this.#items = new Map(items) }
  get length() { return this.#items.size }
  key(index) { return [...this.#items.keys()][index] ?? null }
  getItem(name) { return this.#items.get(name) ?? null }
  setItem(name, value) { this.#items.set(name, String(value)) }
  removeItem(name) { this.#items.delete(name) }
  copy() { return new Memory(this.#items) }
  get text() { return JSON.stringify([...this.#items]) }
}

/** A client at a node of the site. */
export function clientOf({ base = settings.bases[0], ...options } = {}) {
  return new ChatClient({ base, WebSocket, retry: { first: 50, max: 500 }, ...options })
}

/** Waits until a condition holds. */
export async function until(what, condition, within = 20_000) {
  const deadline = performance.now() + within
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`not within ${within} ms: ${what}`)
    await pause(5)
  }
}

export const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

const watched = []
const EVENTS = ['state', 'welcome', 'message', 'messages', 'pending', 'retracted', 'started', 'online', 'typing', 'locked', 'gap', 'ended']

/** Connects a room, and returns what happens in it: a list for each event. */
export function watch(room) {
  const seen = Object.fromEntries(EVENTS.map(name => [name, []]))
  for (const name of EVENTS) room.on(name, detail => seen[name].push(structuredClone(detail)))
  watched.push(room)
  room.connect()
  return seen
}

export async function connected(room) {
  const seen = watch(room)
  await until(`${room.userId} is connected`, () => room.state === 'open')
  return seen
}

export const texts = messages => messages.map(({ text }) => text)

/** Fails unless messages follow each other without holes. */
export function assertUnbroken(messages) {
  messages.forEach(({ seq }, i) => assert.equal(seq, messages[0].seq + i))
}

/** Fails unless a promise is rejected with a code. */
export async function assertRefused(promise, code, status) {
  const error = await promise.then(() => assert.fail(`was not refused with ${code}`), error => error)
  assert.equal(error.code, code, error.stack)
  assert.equal(error.name, 'ChatError')
  if (status !== undefined) assert.equal(error.status, status)
  return error
}

/** Runs a script. Nothing it leaves behind may keep the process alive. */
export async function run(script) {
  try {
    await script()
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  }
  for (const room of watched) room.close()
  input.close()
}
