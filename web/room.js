// A room that one is a member of.

import { Deadline } from './deadline.js'
import { Emitter } from './emitter.js'
import { ChatError } from './error.js'
import { Feed } from './feed.js'
import { Link } from './link.js'
import { Outbox } from './outbox.js'
import { USUAL_RATE } from './pace.js'
import { Presence } from './presence.js'
import { Requests } from './requests.js'
import { byteLength, sealedLength } from './secret.js'

/** How long a message may be at a server that does not say, in bytes. */
const USUAL_LENGTH = 4096

/** The server passes on that one is typing once in so many milliseconds. */
const TYPING_INTERVAL = 3_000

/** What closes a connection, by its code. */
const CLOSE_CODES = /** @type {Record<number, string>} */ ({
  1001: 'going_away', 1006: 'network', 1007: 'invalid_utf8', 1009: 'frame_too_large', 1011: 'internal_error',
  1013: 'unavailable', 4400: 'bad_frame', 4401: 'invalid_session', 4403: 'removed', 4404: 'room_not_found',
  4408: 'join_timeout', 4409: 'replaced', 4410: 'room_gone', 4413: 'room_full', 4429: 'too_fast', 4503: 'too_slow',
})

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
 * @property {{ message: import('./transcript.js').Message }} message somebody, oneself
 *   included, has said something
 * @property {{ messages: import('./transcript.js').Message[], where: 'older' | 'replay' | 'dropped' }} messages
 *   some were added at the beginning (`older`) or at the end (`replay`: what was
 *   missed), or the first were dropped, since too many are at hand
 * @property {{ pending: import('./outbox.js').Pending[] }} pending what is pending has changed
 * @property {{ seq: number, message: import('./transcript.js').Message | null }} retracted
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
 * @property {import('./endpoints.js').Endpoints} endpoints
 * @property {import('./stored.js').Stored} stored
 * @property {import('./secret.js').Secret | null} secret
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
  #sessionId
  /** @type {RoomState} */
  #state = 'closed'
  /** @type {number | null} */
  #retryAt = null
  #deadline = new Deadline(() => this.#end('expired'))
  #presence = new Presence()
  #requests = new Requests()
  /** @type {Outbox} */
  #outbox
  /** @type {Feed} */
  #feed
  /** @type {Link} */
  #link
  #maxMessage = USUAL_LENGTH
  #typedAt = -Infinity
  #leaving = false

  // Frames are handled one after another, though those of a private room have to be
  // decrypted first, which takes a moment.
  #inbox = Promise.resolve()

  /**
   * @param {import('./endpoints.js').Admission} admission
   * @param {RoomParts} parts
   */
  constructor(admission, parts) {
    super()
    this.#parts = parts
    this.#sessionId = admission.sessionId
    /** @readonly */
    this.roomId = admission.roomId
    this.roomName = admission.roomName
    /** Who one is. @readonly */
    this.userId = admission.userId
    /** @type {'admin' | 'member'} */
    this.role = admission.role
    /** How long the room lives from its start, in seconds. */
    this.ttl = admission.ttl
    /** Whether nobody new may join, as far as is known. */
    this.locked = false
    const { secret, retry } = parts
    this.#outbox = new Outbox({
      transmit: frame => this.#link.send(frame, true),
      seal: secret && (text => secret.seal(text, this.userId)),
      changed: () => this.emit('pending', { pending: this.pending }),
    }, retry)
    this.#feed = new Feed({
      userId: this.userId,
      secret,
      ask: (frame, name, take) => this.#ask(frame, name, take),
      echoed: number => this.#outbox.echoed(number),
      renewed: () => this.#outbox.again(),
      emit: (type, detail) => this.emit(type, detail),
    })
    this.#link = new Link(parts.endpoints.base, parts, {
      join: () => this.#join(),
      hear: (frame, socket) => this.#enqueue(() => this.#hear(frame, socket)),
      changed: (state, retryAt, code) => this.#changed(state, retryAt, code),
      refused: (code, reason) => this.#enqueue(() => this.#refused(code, reason)),
    })
    this.#deadline.set(admission.startedAt, admission.expiresAt)
    parts.stored.put(this.roomId, { userId: this.userId, sessionId: this.#sessionId, expiresAt: this.expiresAt })
  }

  get state() { return this.#state }

  /** When a connection is tried again, in milliseconds since 1970 by the clock of
   * this machine, while the state is `waiting`. */
  get retryAt() { return this.#retryAt }

  /** When the room started, in milliseconds since 1970 by the store's clock, null if
   * it has not. */
  get startedAt() { return this.#deadline.startedAt }

  /** When it ends, likewise. */
  get expiresAt() { return this.#deadline.expiresAt }

  /** What the store's clock says now, as nearly as can be known. */
  clock() { return this.#deadline.now() }

  /** How many milliseconds the room has left, null if its time does not run. */
  remaining() { return this.#deadline.remaining() }

  /** Whether what is said here is encrypted. */
  get private() { return this.#parts.secret !== null }

  /** The key of a private room, for its link: `#<roomId>.<key>`. */
  get key() { return this.#parts.secret?.key ?? null }

  /** Who is online, oneself included; of a crowd of more than 100, only some. */
  get online() { return this.#presence.names }
  get onlineCount() { return this.#presence.count }

  /** The messages at hand, ascending; not to be changed. */
  get messages() { return this.#feed.messages }

  /** Whether `older` would bring more. */
  get more() { return this.#feed.more }

  /** What one has said and the room does not have yet, in the order said; not to be
   * changed. */
  get pending() { return this.#outbox.items }

  /** How many bytes of UTF-8 a message may have: see `byteLength`. */
  get maxLength() { return this.private ? sealedLength(this.#maxMessage) : this.#maxMessage }

  /** Connects, and from then on comes back whenever the connection is lost. */
  connect() {
    if (this.#state === 'closed') this.#link.open()
  }

  /** Disconnects. One remains a member, and may `connect` again. */
  close() {
    this.#link.close()
    this.#deadline.stop()
    if (this.#state !== 'ended') this.#disconnected('closed', null, null)
  }

  /** Looks at once whether the connection works. A page need not call it: coming
   * back online or into sight does. */
  wake() { this.#link.wake() }

  /**
   * Says something, as soon as possible and once. Nothing is too early for it: what
   * is said without a connection waits for one.
   *
   * @param {string} text
   * @returns {import('./outbox.js').Pending} which may have failed at once
   * @throws {ChatError} `closed`, and `invalid_message` if it is empty
   */
  send(text) {
    if (this.#state === 'ended') throw new ChatError('closed')
    if (text === '') throw new ChatError('invalid_message')
    const tooLong = byteLength(text) > this.maxLength
    return tooLong ? this.#outbox.reject(text, 'message_too_long') : this.#outbox.add(text)
  }

  /**
   * Says something again that has failed, after all that is still to be said.
   *
   * @param {number} id of a `Pending`
   * @returns {boolean} whether there is such a one
   */
  retry(id) { return this.#outbox.retry(id) }

  /**
   * Gives up something that has failed, or that was not sent yet.
   *
   * @param {number} id of a `Pending`
   * @returns {boolean} false if it is too late
   */
  discard(id) { return this.#outbox.discard(id) }

  /**
   * Loads older messages: see the event `messages`.
   *
   * @param {number} [limit] at most 200
   * @returns {Promise<boolean>} whether there are more
   * @throws {ChatError} `offline`, `network`, `rate_limited` or `unavailable`
   */
  async older(limit = 100) { return this.#feed.older(limit) }

  /** Tells the others that one is typing; to be called with every key. */
  typing() {
    const now = performance.now()
    if (now - this.#typedAt < TYPING_INTERVAL) return
    if (this.#link.send({ type: 'typing' })) this.#typedAt = now
  }

  /**
   * Takes a message back: one's own, or as the admin any.
   *
   * @param {number} seq
   * @returns {Promise<void>}
   * @throws {ChatError} `offline`, `network`, `not_admin`, `message_not_found`, …
   */
  async retract(seq) { await this.#ask({ type: 'retract', seq }, `retract ${seq}`, () => {}) }

  /**
   * Starts the room's time, as the admin.
   *
   * @throws {ChatError} like all that follow
   */
  async start() {
    const { startedAt, expiresAt } = await this.#call('startChat')
    this.#started(startedAt, expiresAt)
  }

  /**
   * Lets nobody new join, or lets them again, as the admin.
   *
   * @param {boolean} locked
   */
  async lock(locked) {
    await this.#call('lockRoom', { locked })
    this.#locked(locked)
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
    this.#end('deleted')
  }

  /** Ends one's own membership. */
  async leave() {
    this.#leaving = true
    try {
      await this.#call('leaveRoom')
      this.#end('left')
    } finally {
      this.#leaving = false
    }
  }

  /**
   * @param {string} endpoint
   * @param {object} [more]
   */
  async #call(endpoint, more) {
    if (this.#state === 'ended') throw new ChatError('closed')
    const { roomId, userId } = this
    try {
      return await this.#parts.endpoints.call(endpoint, { roomId, userId, sessionId: this.#sessionId, ...more })
    } catch (error) {
      if (error instanceof ChatError && error.code === 'room_not_found') this.#end('gone')
      throw error
    }
  }

  /**
   * @template T
   * @param {object} frame
   * @param {string} name
   * @param {(answer: any) => T} take
   * @returns {Promise<T>}
   */
  async #ask(frame, name, take) {
    if (this.#state !== 'open' || !this.#link.send(frame, true)) throw new ChatError('offline')
    return this.#requests.add(name, take)
  }

  async #join() {
    await this.#inbox // what the last connection brought counts
    const { roomId, userId } = this
    return { type: 'join', roomId, userId, sessionId: this.#sessionId, ...this.#feed.position }
  }

  /** @param {() => void | Promise<void>} job */
  #enqueue(job) {
    this.#inbox = this.#inbox.then(() => this.#state === 'ended' ? undefined : job()).catch(error => {
      // A defect, which must not end the conversation, nor go unseen.
      queueMicrotask(() => { throw error })
    })
  }

  /**
   * @param {any} frame
   * @param {object} socket
   */
  async #hear(frame, socket) {
    switch (frame.type) {
      case 'welcome': return this.#welcome(frame, await this.#feed.read(frame.messages, frame.session), socket)
      case 'replay': return this.#feed.replay(await this.#feed.read(frame.messages))
      case 'message': {
        const [heard] = await this.#feed.read([frame])
        if (heard === undefined) return
        this.#deadline.correctClock(heard.message.timestamp)
        return this.#feed.message(heard)
      }
      case 'history': {
        const heard = await this.#feed.read(frame.messages)
        this.#requests.answer('history', { heard, more: frame.more })
        return
      }
      case 'gap': return this.#feed.gap(frame)
      case 'retracted':
        this.#feed.retracted(frame.seq)
        this.#requests.answer(`retract ${frame.seq}`, null)
        return
      case 'ack': return this.#outbox.acknowledged(frame.id)
      case 'error': return this.#error(frame)
      case 'started': return this.#started(frame.startedAt, frame.expiresAt)
      case 'locked': return this.#locked(frame.locked)
      case 'typing': return this.emit('typing', { userId: frame.userId })
      case 'joined':
        this.#presence.join(frame.userId)
        return this.emit('online', { joined: frame.userId })
      case 'left':
        this.#presence.leave(frame.userId)
        return this.emit('online', { left: frame.userId })
      case 'online':
        this.#presence.crowd(frame.onlineCount)
        return this.emit('online', {})
      case 'removed': return this.#end(this.#leaving ? 'left' : 'removed')
      case 'ended': return this.#end(frame.reason)
      // A pong has done its work by coming; other types are those of a later version.
    }
  }

  /**
   * @param {any} frame
   * @param {import('./feed.js').Heard[]} heard
   * @param {object} socket
   */
  #welcome(frame, heard, socket) {
    this.role = frame.role
    this.roomName = frame.room.roomName
    this.ttl = frame.room.ttl
    this.#maxMessage = frame.maxMessage ?? USUAL_LENGTH
    this.#deadline.setClock(Date.parse(frame.now))
    this.#presence.reset(frame.online, frame.onlineCount)
    const { resumed, gap, tell } = this.#feed.welcome(frame, heard)
    const open = this.#link.welcomed(socket)
    if (open) this.#setState('open', null, null)
    this.emit('welcome', { resumed, gap })
    this.#started(frame.room.startedAt, frame.room.expiresAt)
    this.#locked(frame.room.locked)
    this.emit('online', {})
    tell()
    if (open) this.#outbox.opened(frame.lastId, frame.messageRate === undefined ? USUAL_RATE : frame.messageRate)
  }

  /** @param {{ code: string, id?: number, seq?: number }} frame */
  #error({ code, id, seq }) {
    if (id !== undefined) this.#outbox.refused(id, code)
    else this.#requests.refuse(seq === undefined ? 'history' : `retract ${seq}`, new ChatError(code))
  }

  /**
   * @param {string | null} startedAt
   * @param {string | null} expiresAt
   */
  #started(startedAt, expiresAt) {
    if (!this.#deadline.set(startedAt, expiresAt)) return
    const { stored } = this.#parts
    const identity = stored.get(this.roomId)
    if (identity?.userId === this.userId) stored.put(this.roomId, { ...identity, expiresAt: this.expiresAt })
    this.emit('started', { startedAt: this.startedAt ?? 0, expiresAt: this.expiresAt ?? 0 })
  }

  /** @param {boolean} locked */
  #locked(locked) {
    if (this.locked === locked || this.#state === 'ended') return
    this.locked = locked
    this.emit('locked', { locked })
  }

  /**
   * @param {'connecting' | 'waiting'} state
   * @param {number | null} retryAt
   * @param {number | null} code
   */
  #changed(state, retryAt, code) {
    if (state === 'connecting') this.#setState(state, null, null)
    // What came over the connection before it was lost is handled first.
    else this.#enqueue(() => this.#disconnected(this.#link.isWaiting ? state : 'connecting', retryAt, code))
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #refused(code, reason) {
    switch (code) {
      case 4401: return this.#end('invalid')
      case 4403: return this.#end(this.#leaving ? 'left' : 'removed')
      case 4404: return this.#end('gone')
      case 4410: return this.#end(reason === 'deleted' ? 'deleted' : 'expired')
      default: return this.#disconnected('closed', null, code)
    }
  }

  /**
   * @param {'waiting' | 'connecting' | 'closed'} state
   * @param {number | null} retryAt
   * @param {number | null} code
   */
  #disconnected(state, retryAt, code) {
    this.#outbox.closed()
    this.#requests.lost()
    this.#setState(state, state === 'waiting' ? retryAt : null, code)
  }

  /**
   * @param {RoomState} state
   * @param {number | null} retryAt
   * @param {number | null} code
   */
  #setState(state, retryAt, code) {
    if (this.#state === state && this.#retryAt === retryAt) return
    this.#state = state
    this.#retryAt = retryAt
    this.emit('state', { state, retryAt, code: code === null ? null : CLOSE_CODES[code] ?? 'network' })
  }

  /**
   * The end of the room: nothing of it is left here.
   *
   * @param {EndReason} reason
   */
  #end(reason) {
    if (this.#state === 'ended') return
    const overdue = reason === 'gone' && this.remaining() === 0
    this.#link.close()
    this.#deadline.stop()
    this.#parts.stored.forget(this.roomId, this.userId)
    this.#setState('ended', null, null)
    this.#requests.lost()
    this.#outbox.clear()
    this.#feed.clear()
    this.#presence.reset([], 0)
    this.emit('ended', { reason: overdue ? 'expired' : reason })
  }
}
