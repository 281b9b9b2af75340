/**
 * The client of an ephemeral chat, and a reference implementation of the protocol in
 * docs/protocol.md. docs/client.md describes its use.
 *
 *     import { ChatClient } from 'https://example.com/chat/client.js'
 *
 *     const client = new ChatClient({ base: 'https://example.com/chat/', storage: localStorage })
 *     const room = await client.restore(roomId) ?? await client.joinRoom({ roomId, username: 'ben' })
 *     room.on('message', ({ message }) => console.log(message.userId, message.text))
 *     room.connect()
 *     room.send('Good morning')
 */

import { ChatError } from './chat-error.js'
import { CredentialStore } from './credential-store.js'
import { byteLength, newKey, RoomCipher } from './encryption.js'
import { HttpApi } from './http-api.js'
import { Room } from './room.js'

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
 * The environment of a `ChatClient`. In a browser only `base` is required.
 *
 * @typedef {object} ClientOptions
 * @property {URL | string} base the mount point
 * @property {Storage | null} [storage] keeps the user's credentials for each room, so
 *   that a reload returns as the same user; null or absent: nothing is kept
 * @property {typeof fetch} [fetch]
 * @property {typeof WebSocket} [WebSocket]
 * @property {Partial<Retry>} [retry] the delays before reconnections
 */

/**
 * @typedef {object} RoomInfo
 * @property {boolean} passwordRequired
 * @property {boolean} locked
 * @property {number | null} startedAt milliseconds since 1970 by the store's clock
 * @property {number | null} expiresAt
 */

/** A room counts as ended this many milliseconds after its end by this machine's
 * clock, which may differ from the store's. */
const MAX_CLOCK_ERROR = 10 * 60_000

/** Rooms at one mount point. */
export class ChatClient {
  #api
  #credentials
  #options

  /** @param {ClientOptions} options */
  constructor({ base, storage = null, fetch = globalThis.fetch.bind(globalThis), WebSocket = globalThis.WebSocket, retry = {} }) {
    const mount = new URL(base, globalThis.location?.href)
    if (!mount.pathname.endsWith('/')) mount.pathname += '/'
    mount.search = mount.hash = ''
    this.#api = new HttpApi(mount, fetch)
    this.#credentials = new CredentialStore(storage, mount)
    this.#options = { WebSocket, retry: { first: 500, max: 30_000, ...retry } }
  }

  /**
   * Creates a room, with the user as its admin.
   *
   * @param {object} request
   * @param {string} request.roomName
   * @param {string} [request.username]
   * @param {string} [request.password]
   * @param {number | string} [request.ttl] seconds, or a duration such as "30m"
   * @param {boolean} [request.private] encrypts messages with a new key
   * @returns {Promise<Room>} not yet connected
   * @throws {ChatError}
   */
  async createRoom({ roomName, username, password, ttl, private: sealed = false }) {
    const key = sealed ? newKey() : null
    const response = await this.#api.call('createRoom', { roomName, username, password, ttl })
    return this.#enter(response, key)
  }

  /**
   * Joins a room as a new member.
   *
   * @param {object} request
   * @param {string} request.roomId
   * @param {string} [request.username]
   * @param {string} [request.password]
   * @param {string | null} [request.key] of a private room
   * @returns {Promise<Room>} not yet connected
   * @throws {ChatError}
   */
  async joinRoom({ roomId, username, password, key = null }) {
    if (key !== null) await RoomCipher.from(key, roomId) // a wrong key must fail before the join
    const response = await this.#api.call('joinRoom', { roomId, username, password })
    return this.#enter(response, key)
  }

  /**
   * Returns the public properties of a room.
   *
   * @param {string} roomId
   * @returns {Promise<RoomInfo>}
   * @throws {ChatError}
   */
  async roomInfo(roomId) {
    const { passwordRequired, locked, startedAt, expiresAt } = await this.#api.call('roomInfo', { roomId })
    return { passwordRequired, locked, startedAt: time(startedAt), expiresAt: time(expiresAt) }
  }

  /**
   * Returns to a room as the same user, after a reload or in another tab. Each call
   * gets a session of its own, so that tabs don't replace each other.
   *
   * @param {string} roomId
   * @param {object} [options]
   * @param {string | null} [options.key] of a private room
   * @returns {Promise<Room | null>} not yet connected; null without credentials, or if
   *   they are not valid any more, in which case they are removed
   * @throws {ChatError} if the server could not be asked
   */
  async restore(roomId, { key = null } = {}) {
    const credentials = this.#credentials.get(roomId)
    if (credentials === null) return null
    if (key !== null) await RoomCipher.from(key, roomId)
    const { userId, sessionId } = credentials
    try {
      return await this.#enter(await this.#api.call('joinRoom', { roomId, userId, sessionId }), key)
    } catch (error) {
      if (!isGone(error)) throw error
      this.#credentials.forget(roomId, userId)
      return null
    }
  }

  /**
   * Removes the credentials for rooms that have ended. If the server does not answer
   * for a room, its credentials stay until the next call.
   *
   * @returns {Promise<string[]>} the ids of those rooms
   */
  async sweep() {
    const forgotten = []
    for (const roomId of this.#credentials.rooms()) {
      const credentials = this.#credentials.get(roomId)
      const expiresAt = credentials?.expiresAt ?? Infinity
      if (Date.now() > expiresAt + MAX_CLOCK_ERROR || await this.#isGone(roomId)) {
        this.#credentials.forget(roomId, credentials?.userId)
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
   * @param {import('./http-api.js').JoinResponse} response
   * @param {string | null} key
   */
  async #enter(response, key) {
    const cipher = key === null ? null : await RoomCipher.from(key, response.roomId)
    return new Room(response, { api: this.#api, credentials: this.#credentials, cipher, ...this.#options })
  }
}

/**
 * Parses a time of the protocol.
 *
 * @param {string | null} text
 */
function time(text) { return text === null ? null : Date.parse(text) }

/**
 * Reports whether an error means that the room or the membership is gone.
 *
 * @param {unknown} error
 */
function isGone(error) {
  return error instanceof ChatError && (error.code === 'room_not_found' || error.code === 'invalid_session')
}
