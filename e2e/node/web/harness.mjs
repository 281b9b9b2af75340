// The common part of the scripts in this folder. Each uses web/client/client.js as a
// page would, with the package ws for its WebSocket. A test in Go runs it: the first
// line of standard input has the settings, and the script can ask the test for actions.
// Both sides write lines of JSON.
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

/** The settings from the test. */
export const settings = await nextLine()

/** Asks the test for an action, and returns its result. */
export async function ask(name, ...args) {
  process.stdout.write(JSON.stringify({ ask: name, args }) + '\n')
  return nextLine()
}

/** A Storage in memory. */
export class MemoryStorage {
  #items
  constructor(items = []) { this.#items = new Map(items) }
  get length() { return this.#items.size }
  key(index) { return [...this.#items.keys()][index] ?? null }
  getItem(name) { return this.#items.get(name) ?? null }
  setItem(name, value) { this.#items.set(name, String(value)) }
  removeItem(name) { this.#items.delete(name) }
  copy() { return new MemoryStorage(this.#items) }
  get text() { return JSON.stringify([...this.#items]) }
}

/** Returns a client of a node of the site. */
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

/** Connects a room, and returns its events: a list for each type. */
export function watch(room) {
  const seen = Object.fromEntries(EVENTS.map(name => [name, []]))
  for (const name of EVENTS) room.on(name, detail => seen[name].push(structuredClone(detail)))
  watched.push(room)
  room.connect()
  return seen
}

/** Connects a room, waits until it is open, and returns its events. */
export async function connected(room) {
  const seen = watch(room)
  await until(`${room.userId} is connected`, () => room.state === 'open')
  return seen
}

export const texts = messages => messages.map(({ text }) => text)

/** Fails unless messages follow each other without gaps. */
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

/** Runs a script, then closes everything that would keep the process alive. */
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
