/**
 * The client of an ephemeral chat. It speaks the protocol as docs/protocol.md has
 * it, and is meant to be read by whoever writes another one; docs/client.md says
 * how to use it.
 *
 *     import { ChatClient } from 'https://example.com/chat/client.js'
 *
 *     const client = new ChatClient({ base: 'https://example.com/chat/', storage: localStorage })
 *     const room = await client.restore(roomId) ?? await client.joinRoom({ roomId, username: 'ben' })
 *     room.on('message', ({ message }) => console.log(message.userId, message.text))
 *     room.connect()
 *     room.send('Good morning')
 */

import { Endpoints } from './http-api.js'
import { ChatError } from './chat-error.js'
import { Room } from './room.js'
import { byteLength, newKey, Secret } from './encryption.js'
import { Stored } from './credential-store.js'

export { byteLength, ChatError, Room }

/**
 * @typedef {import('./room.js').RoomEvents} RoomEvents
 * @typedef {import('./room.js').RoomState} RoomState
 * @typedef {import('./room.js').EndReason} EndReason
 * @typedef {import('./message-log.js').Message} Message
 * @typedef {import('./outbox.js').Pending} Pending
 * @typedef {import('./socket.js').Retry} Retry
 */

/**
 * What a `ChatClient` needs from where it runs. In a browser all but `base` may
 * be left out.
 *
 * @typedef {object} ClientOptions
 * @property {URL | string} base where the chat is mounted
 * @property {Storage | null} [storage] remembers who one is in which room, so that
 *   a reload is the same person; null or absent: nothing is remembered
 * @property {typeof fetch} [fetch]
 * @property {typeof WebSocket} [WebSocket]
 * @property {Partial<Retry>} [retry] how long to wait before a lost connection is
 *   opened again
 */

/**
 * @typedef {object} RoomInfo
 * @property {boolean} passwordRequired
 * @property {boolean} locked
 * @property {number | null} startedAt milliseconds since 1970 by the store's clock
 * @property {number | null} expiresAt
 */

/** How long after its end by this machine's clock a room is taken for gone, in
 * milliseconds: clocks differ. */
const CLOCK_DOUBT = 10 * 60_000

/** Rooms at one mount point. */
export class ChatClient {
  #endpoints
  #stored
  #options

  /** @param {ClientOptions} options */
  constructor({ base, storage = null, fetch = globalThis.fetch.bind(globalThis), WebSocket = globalThis.WebSocket, retry = {} }) {
    const mount = new URL(base, globalThis.location?.href)
    if (!mount.pathname.endsWith('/')) mount.pathname += '/'
    mount.search = mount.hash = ''
    this.#endpoints = new Endpoints(mount, fetch)
    this.#stored = new Stored(storage, mount)
    this.#options = { WebSocket, retry: { first: 500, max: 30_000, ...retry } }
  }

  /**
   * Creates a room, of which one is the admin.
   *
   * @param {object} wish
   * @param {string} wish.roomName
   * @param {string} [wish.username]
   * @param {string} [wish.password]
   * @param {number | string} [wish.ttl] seconds, or such as "30m"
   * @param {boolean} [wish.private] whether messages are encrypted, with a new key
   * @returns {Promise<Room>} not yet connected
   * @throws {ChatError}
   */
  async createRoom({ roomName, username, password, ttl, private: sealed = false }) {
    const key = sealed ? newKey() : null
    const admission = await this.#endpoints.call('createRoom', { roomName, username, password, ttl })
    return this.#admit(admission, key)
  }

  /**
   * Joins a room as somebody new.
   *
   * @param {object} wish
   * @param {string} wish.roomId
   * @param {string} [wish.username]
   * @param {string} [wish.password]
   * @param {string | null} [wish.key] of a private room
   * @returns {Promise<Room>} not yet connected
   * @throws {ChatError}
   */
  async joinRoom({ roomId, username, password, key = null }) {
    if (key !== null) await Secret.from(key, roomId) // before anybody is told of a new member
    const admission = await this.#endpoints.call('joinRoom', { roomId, username, password })
    return this.#admit(admission, key)
  }

  /**
   * Asks what a newcomer may know of a room.
   *
   * @param {string} roomId
   * @returns {Promise<RoomInfo>}
   * @throws {ChatError}
   */
  async roomInfo(roomId) {
    const { passwordRequired, locked, startedAt, expiresAt } = await this.#endpoints.call('roomInfo', { roomId })
    return { passwordRequired, locked, startedAt: time(startedAt), expiresAt: time(expiresAt) }
  }

  /**
   * Comes back to a room as who one was there before: after a reload, or in another
   * tab. Each call is given a session of its own, so that tabs don't take each
   * other's place.
   *
   * @param {string} roomId
   * @param {object} [options]
   * @param {string | null} [options.key] of a private room
   * @returns {Promise<Room | null>} not yet connected; null if nothing is
   *   remembered, or is no longer good, which is then forgotten
   * @throws {ChatError} if that could not be found out
   */
  async restore(roomId, { key = null } = {}) {
    const identity = this.#stored.get(roomId)
    if (identity === null) return null
    if (key !== null) await Secret.from(key, roomId)
    const { userId, sessionId } = identity
    try {
      return await this.#admit(await this.#endpoints.call('joinRoom', { roomId, userId, sessionId }), key)
    } catch (error) {
      if (!isGone(error)) throw error
      this.#stored.forget(roomId, userId)
      return null
    }
  }

  /**
   * Forgets who one was in rooms that have ended meanwhile. What cannot be found
   * out now is left for the next time.
   *
   * @returns {Promise<string[]>} the ids of the rooms that were forgotten
   */
  async sweep() {
    const forgotten = []
    for (const roomId of this.#stored.rooms()) {
      const identity = this.#stored.get(roomId)
      const expiresAt = identity?.expiresAt ?? Infinity
      if (Date.now() > expiresAt + CLOCK_DOUBT || await this.#isGone(roomId)) {
        this.#stored.forget(roomId, identity?.userId)
        forgotten.push(roomId)
      }
    }
    return forgotten
  }

  /** @param {string} roomId */
  async #isGone(roomId) {
    try {
      await this.roomInfo(roomId)
      return false
    } catch (error) {
      return isGone(error)
    }
  }

  /**
   * @param {import('./http-api.js').Admission} admission
   * @param {string | null} key
   */
  async #admit(admission, key) {
    const secret = key === null ? null : await Secret.from(key, admission.roomId)
    return new Room(admission, { endpoints: this.#endpoints, stored: this.#stored, secret, ...this.#options })
  }
}

/**
 * Reads a time of the protocol.
 *
 * @param {string | null} text
 */
function time(text) { return text === null ? null : Date.parse(text) }

/** @param {unknown} error whether it says that one has no place in a room */
function isGone(error) {
  return error instanceof ChatError && (error.code === 'room_not_found' || error.code === 'invalid_session')
}
