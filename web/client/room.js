// A room that one is a member of.

import { Dialogue } from './session.js'
import { Emitter } from './emitter.js'
import { ChatError } from './chat-error.js'
import { byteLength, sealedLength } from './encryption.js'

/** The server passes on that one is typing once in so many milliseconds. */
const TYPING_INTERVAL = 3_000

/**
 * - `closed`: not connected, and not about to be: before `connect`, after `close`,
 *   and when the server does not want this connection any more.
 * - `connecting`: a connection is being made.
 * - `open`: connected.
 * - `waiting`: until `retryAt`, to connect again.
 * - `ended`: the room is gone for this user, for good.
 *
 * @typedef {'closed' | 'connecting' | 'open' | 'waiting' | 'ended'} RoomState
 */

/**
 * Why a room is gone: its time was over, or the admin has deleted it; one was
 * removed, or has left; or one comes back to find it gone, or one's session no
 * longer good, for a reason that is not known.
 *
 * @typedef {'expired' | 'deleted' | 'removed' | 'left' | 'gone' | 'invalid'} EndReason
 */

/**
 * The events of a room and their details. Whatever an event tells is true of the
 * room by then.
 *
 * @typedef {object} RoomEvents
 * @property {{ state: RoomState, retryAt: number | null, code: string | null }} state
 *   `code`: why a connection was lost or refused, such as `network`, `room_full`, `replaced`
 * @property {{ resumed: boolean, gap: boolean }} welcome connected; `resumed`: nothing
 *   was missed but for what the event `messages` brings now; `gap`: the event `gap` follows
 * @property {{ message: import('./message-log.js').Message }} message somebody, oneself
 *   included, has said something
 * @property {{ messages: import('./message-log.js').Message[], where: 'older' | 'replay' | 'dropped' }} messages
 *   some were added at the beginning (`older`) or at the end (`replay`: what was
 *   missed), or the first were dropped, since too many are at hand
 * @property {{ pending: import('./outbox.js').Pending[] }} pending what is pending has changed
 * @property {{ seq: number, message: import('./message-log.js').Message | null }} retracted
 *   a message was taken back; null if it is not at hand
 * @property {{ startedAt: number, expiresAt: number }} started the room's time runs
 * @property {{ joined?: string, left?: string }} online who is online has changed
 * @property {{ userId: string }} typing
 * @property {{ locked: boolean }} locked
 * @property {{ }} gap messages were lost or can no longer be had, and all those at
 *   hand are others now
 * @property {{ reason: EndReason }} ended nothing of the room is left here
 */

/**
 * What a room is made with.
 *
 * @typedef {object} RoomParts
 * @property {import('./http-api.js').Endpoints} endpoints
 * @property {import('./credential-store.js').Stored} stored
 * @property {import('./encryption.js').Secret | null} secret
 * @property {typeof WebSocket} WebSocket
 * @property {import('./backoff.js').Retry} retry
 */

/**
 * A room that one is a member of. `ChatClient` makes it.
 *
 * @extends {Emitter<RoomEvents>}
 */
export class Room extends Emitter {
  #parts
  #dialogue
  #sessionId
  #typedAt = -Infinity

  /**
   * @param {import('./http-api.js').Admission} admission
   * @param {RoomParts} parts
   */
  constructor(admission, parts) {
    super()
    this.#parts = parts
    this.#sessionId = admission.sessionId
    /** @readonly */
    this.roomId = admission.roomId
    /** Who one is. @readonly */
    this.userId = admission.userId
    this.#dialogue = new Dialogue(admission, parts, (type, detail) => this.emit(type, detail))
  }

  get roomName() { return this.#dialogue.roomName }

  /** @returns {'admin' | 'member'} */
  get role() { return this.#dialogue.role }

  /** How long the room lives from its start, in seconds. */
  get ttl() { return this.#dialogue.ttl }

  /** Whether nobody new may join, as far as is known. */
  get locked() { return this.#dialogue.locked }

  get state() { return this.#dialogue.state }

  /** When a connection is tried again, in milliseconds since 1970 by the clock of
   * this machine, while the state is `waiting`. */
  get retryAt() { return this.#dialogue.retryAt }

  /** When the room started, in milliseconds since 1970 by the store's clock, null if
   * it has not. */
  get startedAt() { return this.#dialogue.deadline.startedAt }

  /** When it ends, likewise. */
  get expiresAt() { return this.#dialogue.deadline.expiresAt }

  /** What the store's clock says now, as nearly as can be known. */
  clock() { return this.#dialogue.deadline.now() }

  /** How many milliseconds the room has left, null if its time does not run. */
  remaining() { return this.#dialogue.deadline.remaining() }

  /** Whether what is said here is encrypted. */
  get private() { return this.#parts.secret !== null }

  /** The key of a private room, for its link: `#<roomId>.<key>`. */
  get key() { return this.#parts.secret?.key ?? null }

  /** Who is online, oneself included; of a crowd of more than 100, only some. */
  get online() { return this.#dialogue.presence.names }
  get onlineCount() { return this.#dialogue.presence.count }

  /** The messages at hand, ascending; not to be changed. */
  get messages() { return this.#dialogue.feed.messages }

  /** Whether `older` would bring more. */
  get more() { return this.#dialogue.feed.more }

  /** What one has said and the room does not have yet, in the order said; not to be
   * changed. */
  get pending() { return this.#dialogue.outbox.items }

  /** How many bytes of UTF-8 a message may have: see `byteLength`. */
  get maxLength() {
    const { maxMessage } = this.#dialogue
    return this.private ? sealedLength(maxMessage) : maxMessage
  }

  /** Connects, and from then on comes back whenever the connection is lost. */
  connect() {
    if (this.state === 'closed') this.#dialogue.link.open()
  }

  /** Disconnects. One remains a member, and may `connect` again. */
  close() {
    this.#dialogue.close()
  }

  /** Looks at once whether the connection works. A page need not call it: coming
   * back online or into sight does. */
  wake() { this.#dialogue.link.wake() }

  /**
   * Says something, as soon as possible and once. Nothing is too early for it: what
   * is said without a connection waits for one.
   *
   * @param {string} text
   * @returns {import('./outbox.js').Pending} which may have failed at once
   * @throws {ChatError} `closed`, and `invalid_message` if it is empty
   */
  send(text) {
    if (this.state === 'ended') throw new ChatError('closed')
    if (text === '') throw new ChatError('invalid_message')
    const tooLong = byteLength(text) > this.maxLength
    return tooLong ? this.#dialogue.outbox.reject(text, 'message_too_long') : this.#dialogue.outbox.add(text)
  }

  /**
   * Says something again that has failed, after all that is still to be said.
   *
   * @param {number} id of a `Pending`
   * @returns {boolean} whether there is such a one
   */
  retry(id) { return this.#dialogue.outbox.retry(id) }

  /**
   * Gives up something that has failed, or that was not sent yet.
   *
   * @param {number} id of a `Pending`
   * @returns {boolean} false if it is too late
   */
  discard(id) { return this.#dialogue.outbox.discard(id) }

  /**
   * Loads older messages: see the event `messages`.
   *
   * @param {number} [limit] at most 200
   * @returns {Promise<boolean>} whether there are more
   * @throws {ChatError} `offline`, `network`, `rate_limited` or `unavailable`
   */
  async older(limit = 100) { return this.#dialogue.feed.older(limit) }

  /** Tells the others that one is typing; to be called with every key. */
  typing() {
    const now = performance.now()
    if (now - this.#typedAt < TYPING_INTERVAL) return
    if (this.#dialogue.link.send({ type: 'typing' })) this.#typedAt = now
  }

  /**
   * Takes a message back: one's own, or as the admin any.
   *
   * @param {number} seq
   * @returns {Promise<void>}
   * @throws {ChatError} `offline`, `network`, `not_admin`, `message_not_found`, …
   */
  async retract(seq) { await this.#dialogue.retract(seq) }

  /**
   * Starts the room's time, as the admin.
   *
   * @throws {ChatError} like all that follow
   */
  async start() {
    const { startedAt, expiresAt } = await this.#call('startChat')
    this.#dialogue.started(startedAt, expiresAt)
  }

  /**
   * Lets nobody new join, or lets them again, as the admin.
   *
   * @param {boolean} locked
   */
  async lock(locked) {
    await this.#call('lockRoom', { locked })
    this.#dialogue.setLocked(locked)
  }

  /**
   * Removes a member, as the admin.
   *
   * @param {string} userId
   */
  async removeMember(userId) { await this.#call('removeMember', { memberId: userId }) }

  /** Ends the room for everybody, as the admin. */
  async deleteRoom() {
    await this.#call('deleteRoom')
    this.#dialogue.end('deleted')
  }

  /** Ends one's own membership. */
  async leave() {
    this.#dialogue.leaving = true // what the server says of it may come first
    try {
      await this.#call('leaveRoom')
      this.#dialogue.end('left')
    } finally {
      this.#dialogue.leaving = false
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
      return await this.#parts.endpoints.call(endpoint, { roomId, userId, sessionId: this.#sessionId, ...more })
    } catch (error) {
      if (error instanceof ChatError && error.code === 'room_not_found') this.#dialogue.end('gone')
      throw error
    }
  }
}
