import { ChatError } from './chat-error.js'
import { Emitter } from './emitter.js'
import { byteLength, sealedLength } from './encryption.js'
import { Session } from './session.js'

/** The shortest time between typing notices that the server forwards, in milliseconds. */
const TYPING_INTERVAL = 3_000

/**
 * - `closed`: not connected and not about to be: before `connect`, after `close`, and
 *   after the server has refused this connection.
 * - `connecting`: the client is connecting.
 * - `open`: connected.
 * - `waiting`: the client reconnects at `retryAt`.
 * - `ended`: the room is over for this user.
 *
 * @typedef {'closed' | 'connecting' | 'open' | 'waiting' | 'ended'} RoomState
 */

/**
 * Why a room is over: its time is up (`expired`), the admin has deleted it or removed
 * this user, or the user has left. `gone` and `invalid`: on return the room is missing,
 * or the session is not valid any more, for an unknown reason.
 *
 * @typedef {'expired' | 'deleted' | 'removed' | 'left' | 'gone' | 'invalid'} EndReason
 */

/**
 * The events of a room and their details. The room's properties are up to date when an
 * event is dispatched.
 *
 * @typedef {object} RoomEvents
 * @property {{ state: RoomState, retryAt: number | null, code: string | null }} state
 *   `code`: the reason of a lost or refused connection, such as `network`, `room_full`,
 *   `replaced`
 * @property {{ resumed: boolean, gap: boolean }} welcome connected; `resumed`: the event
 *   `messages` brings all that was missed; `gap`: the event `gap` follows
 * @property {{ message: import('./message-log.js').Message }} message a new message, of
 *   this user or another
 * @property {{ messages: import('./message-log.js').Message[], where: 'older' | 'replay' | 'dropped' }} messages
 *   messages were added at the beginning (`older`) or, after a reconnection, at the end
 *   (`replay`), or the oldest were removed to limit their number (`dropped`)
 * @property {{ pending: import('./outbox.js').Pending[] }} pending the pending messages
 *   have changed
 * @property {{ seq: number, message: import('./message-log.js').Message | null }} retracted
 *   a message was retracted; null if it is not loaded
 * @property {{ startedAt: number, expiresAt: number }} started the room has started
 * @property {{ joined?: string, left?: string }} online the users online have changed
 * @property {{ userId: string }} typing
 * @property {{ locked: boolean }} locked
 * @property {{ }} gap messages are missing, and all loaded messages were replaced
 * @property {{ reason: EndReason }} ended the client has dropped the room's data
 */

/**
 * The parts that a client passes to its rooms.
 *
 * @typedef {object} RoomParts
 * @property {import('./http-api.js').HttpApi} api
 * @property {import('./credential-store.js').CredentialStore} credentials
 * @property {import('./encryption.js').RoomCipher | null} cipher
 * @property {typeof WebSocket} WebSocket
 * @property {import('./backoff.js').Retry} retry
 */

/**
 * A room that the user is a member of. `ChatClient` creates it.
 *
 * @extends {Emitter<RoomEvents>}
 */
export class Room extends Emitter {
  #parts
  #session
  #sessionId
  #typedAt = -Infinity

  /**
   * @param {import('./http-api.js').JoinResponse} response
   * @param {RoomParts} parts
   */
  constructor(response, parts) {
    super()
    this.#parts = parts
    this.#sessionId = response.sessionId
    /** @readonly */
    this.roomId = response.roomId
    /** The user's name. @readonly */
    this.userId = response.userId
    this.#session = new Session(response, parts, (type, detail) => this.emit(type, detail))
  }

  get roomName() { return this.#session.roomName }

  /** @returns {'admin' | 'member'} */
  get role() { return this.#session.role }

  /** The room's lifetime from its start, in seconds. */
  get ttl() { return this.#session.ttl }

  /** Whether the room refuses new members, as last reported. */
  get locked() { return this.#session.locked }

  get state() { return this.#session.state }

  /** When the client reconnects, in milliseconds since 1970 by the clock of this
   * machine. Null unless the state is `waiting`. */
  get retryAt() { return this.#session.retryAt }

  /** When the room started, in milliseconds since 1970 by the store's clock. Null
   * before. */
  get startedAt() { return this.#session.clock.startedAt }

  /** When the room ends, by the same clock. */
  get expiresAt() { return this.#session.clock.expiresAt }

  /** The estimated time of the store's clock. */
  clock() { return this.#session.clock.now() }

  /** The milliseconds that the room has left, null before it starts. */
  remaining() { return this.#session.clock.remaining() }

  /** Whether messages are encrypted. */
  get private() { return this.#parts.cipher !== null }

  /** The key of a private room, for its link: `#<roomId>.<key>`. */
  get key() { return this.#parts.cipher?.key ?? null }

  /** The users online, this one included. Above 100 they are incomplete. */
  get online() { return this.#session.presence.names }
  get onlineCount() { return this.#session.presence.count }

  /** The loaded messages, ascending. Don't modify them. */
  get messages() { return this.#session.timeline.messages }

  /** Whether `older` can load more. */
  get more() { return this.#session.timeline.more }

  /** The messages that were sent and the room does not have yet, in order. Don't
   * modify them. */
  get pending() { return this.#session.outbox.items }

  /** The longest message, in bytes of UTF-8. Measure with `byteLength`. */
  get maxLength() {
    const { maxMessage } = this.#session
    return this.private ? sealedLength(maxMessage) : maxMessage
  }

  /** Connects, and reconnects whenever the connection is lost. */
  connect() {
    if (this.state === 'closed') this.#session.socket.open()
  }

  /** Disconnects. The user stays a member, and can `connect` again. */
  close() {
    this.#session.close()
  }

  /** Probes the connection at once. A page need not call it: the client does when the
   * browser comes back online or the page becomes visible. */
  wake() { this.#session.socket.wake() }

  /**
   * Sends a message, once and as soon as possible. Without a connection it waits for
   * one.
   *
   * @param {string} text
   * @returns {import('./outbox.js').Pending} it may have failed already
   * @throws {ChatError} `closed`, and `invalid_message` if it is empty
   */
  send(text) {
    if (this.state === 'ended') throw new ChatError('closed')
    if (text === '') throw new ChatError('invalid_message')
    const tooLong = byteLength(text) > this.maxLength
    return tooLong ? this.#session.outbox.reject(text, 'message_too_long') : this.#session.outbox.add(text)
  }

  /**
   * Sends a failed message again, after all pending ones.
   *
   * @param {number} id of a `Pending`
   * @returns {boolean} whether a failed message has this id
   */
  retry(id) { return this.#session.outbox.retry(id) }

  /**
   * Removes a pending message that has failed or was not sent yet.
   *
   * @param {number} id of a `Pending`
   * @returns {boolean} false if it is too late
   */
  discard(id) { return this.#session.outbox.discard(id) }

  /**
   * Loads older messages. The event `messages` announces them.
   *
   * @param {number} [limit] at most 200
   * @returns {Promise<boolean>} whether the room has more
   * @throws {ChatError} `offline`, `network`, `rate_limited` or `unavailable`
   */
  async older(limit = 100) { return this.#session.timeline.older(limit) }

  /** Shows the others that the user is typing. Call it with every key. */
  typing() {
    const now = performance.now()
    if (now - this.#typedAt < TYPING_INTERVAL) return
    if (this.#session.socket.send({ type: 'typing' })) this.#typedAt = now
  }

  /**
   * Retracts a message: the user's own or, as the admin, any.
   *
   * @param {number} seq
   * @returns {Promise<void>}
   * @throws {ChatError} `offline`, `network`, `not_admin`, `message_not_found`, …
   */
  async retract(seq) { await this.#session.retract(seq) }

  /**
   * Starts the room, as the admin.
   *
   * @throws {ChatError} as do all methods below
   */
  async start() {
    const { startedAt, expiresAt } = await this.#call('startChat')
    this.#session.started(startedAt, expiresAt)
  }

  /**
   * Refuses new members, or accepts them again, as the admin.
   *
   * @param {boolean} locked
   */
  async lock(locked) {
    await this.#call('lockRoom', { locked })
    this.#session.setLocked(locked)
  }

  /**
   * Removes a member, as the admin.
   *
   * @param {string} userId
   */
  async removeMember(userId) { await this.#call('removeMember', { memberId: userId }) }

  /** Deletes the room, as the admin. */
  async deleteRoom() {
    await this.#call('deleteRoom')
    this.#session.end('deleted')
  }

  /** Ends the user's membership. */
  async leave() {
    this.#session.leaving = true // the event `removed` may precede the answer
    try {
      await this.#call('leaveRoom')
      this.#session.end('left')
    } finally {
      this.#session.leaving = false
    }
  }

  /**
   * @param {string} endpoint
   * @param {object} [more]
   */
  async #call(endpoint, more) {
    if (this.state === 'ended') throw new ChatError('closed')
    const { roomId, userId } = this
    try {
      return await this.#parts.api.call(endpoint, { roomId, userId, sessionId: this.#sessionId, ...more })
    } catch (error) {
      if (error instanceof ChatError && error.code === 'room_not_found') this.#session.end('gone')
      throw error
    }
  }
}
