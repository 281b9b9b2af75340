// What a room and its server say to each other. Here every frame is handled.

import { Deadline } from './server-clock.js'
import { ChatError } from './chat-error.js'
import { Feed } from './timeline.js'
import { Link } from './socket.js'
import { Outbox } from './outbox.js'
import { USUAL_RATE } from './token-bucket.js'
import { Presence } from './presence.js'
import { Requests } from './requests.js'

/** How long a message may be at a server that does not say, in bytes. */
const USUAL_LENGTH = 4096

/** What closes a connection, by its code. */
const CLOSE_CODES = /** @type {Record<number, string>} */ ({
  1001: 'going_away', 1006: 'network', 1007: 'invalid_utf8', 1009: 'frame_too_large', 1011: 'internal_error',
  1013: 'unavailable', 4400: 'bad_frame', 4401: 'invalid_session', 4403: 'removed', 4404: 'room_not_found',
  4408: 'join_timeout', 4409: 'replaced', 4410: 'room_gone', 4413: 'room_full', 4429: 'too_fast', 4503: 'too_slow',
})

/**
 * @typedef {import('./room.js').RoomState} RoomState
 * @typedef {import('./room.js').EndReason} EndReason
 */

/** A member's side of the conversation with the server. */
export class Dialogue {
  /** @type {RoomState} */
  state = 'closed'
  /** @type {number | null} */
  retryAt = null
  locked = false
  /** How long a message may be, in bytes. */
  maxMessage = USUAL_LENGTH
  /** Whether a removal is one's own wish. */
  leaving = false

  presence = new Presence()
  deadline = new Deadline(() => this.end('expired'))
  #requests = new Requests()
  #member
  #stored
  #emit

  // Frames are handled one after another, though those of a private room have to be
  // decrypted first, which takes a moment.
  #inbox = Promise.resolve()

  /**
   * @param {import('./http-api.js').Admission} admission
   * @param {import('./room.js').RoomParts} parts
   * @param {import('./emitter.js').Emitter<import('./room.js').RoomEvents>['emit']} emit
   */
  constructor(admission, { endpoints, stored, secret, WebSocket, retry }, emit) {
    const { roomId, userId, sessionId, roomName, role, ttl, startedAt, expiresAt } = admission
    this.#member = { roomId, userId, sessionId }
    this.#stored = stored
    this.#emit = emit
    this.roomName = roomName
    this.role = role
    this.ttl = ttl
    /** @type {Outbox} */
    this.outbox = new Outbox({
      transmit: frame => this.link.send(frame, true),
      seal: secret && (text => secret.seal(text, userId)),
      changed: () => emit('pending', { pending: this.outbox.items }),
    }, retry)
    /** @type {Feed} */
    this.feed = new Feed({
      userId,
      secret,
      ask: (frame, name, take) => this.ask(frame, name, take),
      echoed: number => this.outbox.echoed(number),
      idOf: number => this.outbox.idOf(number),
      renewed: () => this.outbox.again(),
      emit,
    })
    /** @type {Link} */
    this.link = new Link(endpoints.base, { WebSocket, retry }, {
      join: () => this.#join(),
      ping: () => this.#ping(),
      hear: (frame, socket) => this.#enqueue(() => this.#hear(frame, socket)),
      changed: (state, retryAt, code) => this.#changed(state, retryAt, code),
      refused: (code, reason) => this.#enqueue(() => this.#refused(code, reason)),
    })
    this.deadline.set(startedAt, expiresAt)
    stored.put(roomId, { userId, sessionId, expiresAt: this.deadline.expiresAt })
  }

  /** Disconnects. */
  close() {
    this.link.close()
    this.deadline.stop()
    if (this.state !== 'ended') this.#disconnected('closed', null, null)
  }

  /**
   * Sends a request and hands its answer to take, before any later frame is handled.
   *
   * @template T
   * @param {object} frame
   * @param {string} name
   * @param {(answer: any) => T} take
   * @returns {Promise<T>}
   */
  async ask(frame, name, take) {
    if (this.state !== 'open' || !this.link.send(frame, true)) throw new ChatError('offline')
    return this.#requests.add(name, take)
  }

  /**
   * Takes a message back. Whoever is told so is told once: if somebody else has done
   * it before, the server does not answer, but for the ping that follows.
   *
   * @param {number} seq
   */
  async retract(seq) {
    if (this.feed.isRetracted(seq)) return
    const name = `retract ${seq}`
    const done = this.ask({ type: 'retract', seq, epoch: this.feed.epoch }, name, () => {})
    this.#ping(() => { this.#requests.answer(name, null) })
    await done
  }

  /**
   * Asks whether the server is there, and whether it has taken what was sent before.
   *
   * @param {() => void} [take]
   */
  #ping(take = () => {}) {
    // That the answer did not come says the state.
    if (this.link.send({ type: 'ping' })) this.#requests.add('pong', take).catch(() => {})
  }

  async #join() {
    await this.#inbox // what the last connection brought counts
    return { type: 'join', ...this.#member, ...this.feed.position }
  }

  /** @param {() => void | Promise<void>} job */
  #enqueue(job) {
    this.#inbox = this.#inbox.then(() => this.state === 'ended' ? undefined : job()).catch(error => {
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
      case 'welcome': return this.#welcome(frame, await this.feed.read(frame.messages, frame.session), socket)
      case 'replay': return this.feed.replay(await this.feed.read(frame.messages))
      case 'message': {
        const [heard] = await this.feed.read([frame])
        if (heard === undefined) return
        this.deadline.correctClock(heard.message.timestamp)
        return this.feed.message(heard)
      }
      case 'history': {
        const heard = await this.feed.read(frame.messages)
        this.#requests.answer('history', { heard, more: frame.more })
        return
      }
      case 'gap': return this.feed.gap(frame)
      case 'retracted':
        this.feed.retracted(frame.seq)
        this.#requests.answer(`retract ${frame.seq}`, null)
        return
      case 'ack': return this.outbox.acknowledged(frame.id)
      case 'error': return this.#error(frame)
      case 'started': return this.started(frame.startedAt, frame.expiresAt)
      case 'locked': return this.setLocked(frame.locked)
      case 'typing': return this.#emit('typing', { userId: frame.userId })
      case 'joined':
        this.presence.join(frame.userId)
        return this.#emit('online', { joined: frame.userId })
      case 'left':
        this.presence.leave(frame.userId)
        return this.#emit('online', { left: frame.userId })
      case 'online':
        this.presence.crowd(frame.onlineCount)
        return this.#emit('online', {})
      case 'removed': return this.end(this.leaving ? 'left' : 'removed')
      case 'ended': return this.end(frame.reason)
      case 'pong':
        this.#requests.answer('pong', null)
        return
      // Other types are those of a later version.
    }
  }

  /**
   * @param {any} frame
   * @param {import('./timeline.js').Heard[]} heard
   * @param {object} socket
   */
  #welcome(frame, heard, socket) {
    this.role = frame.role
    this.roomName = frame.room.roomName
    this.ttl = frame.room.ttl
    this.maxMessage = frame.maxMessage ?? USUAL_LENGTH
    this.deadline.setClock(Date.parse(frame.now))
    this.presence.reset(frame.online, frame.onlineCount)
    const { resumed, gap, tell } = this.feed.welcome(frame, heard)
    const open = this.link.welcomed(socket)
    if (open) this.#setState('open', null, null)
    this.#emit('welcome', { resumed, gap })
    this.started(frame.room.startedAt, frame.room.expiresAt)
    this.setLocked(frame.room.locked)
    this.#emit('online', {})
    tell()
    if (open) this.outbox.opened(frame.lastId, frame.messageRate === undefined ? USUAL_RATE : frame.messageRate)
  }

  /** @param {{ code: string, id?: number, seq?: number }} frame */
  #error({ code, id, seq }) {
    if (id !== undefined) this.outbox.refused(id, code)
    else this.#requests.refuse(seq === undefined ? 'history' : `retract ${seq}`, new ChatError(code))
  }

  /**
   * Notes that the room's time runs.
   *
   * @param {string | null} startedAt
   * @param {string | null} expiresAt
   */
  started(startedAt, expiresAt) {
    if (!this.deadline.set(startedAt, expiresAt)) return
    const { roomId, userId } = this.#member
    const identity = this.#stored.get(roomId)
    if (identity?.userId === userId) this.#stored.put(roomId, { ...identity, expiresAt: this.deadline.expiresAt })
    this.#emit('started', { startedAt: this.deadline.startedAt ?? 0, expiresAt: this.deadline.expiresAt ?? 0 })
  }

  /** @param {boolean} locked whether nobody new may join */
  setLocked(locked) {
    if (this.locked === locked || this.state === 'ended') return
    this.locked = locked
    this.#emit('locked', { locked })
  }

  /**
   * @param {'connecting' | 'waiting'} state
   * @param {number | null} retryAt
   * @param {number | null} code
   */
  #changed(state, retryAt, code) {
    if (state === 'connecting') {
      this.#setState(state, null, null)
      return
    }
    // What came over the connection before it was lost is handled first.
    this.#enqueue(() => {
      if (this.state !== 'closed') this.#disconnected(this.link.isWaiting ? state : 'connecting', retryAt, code)
    })
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #refused(code, reason) {
    switch (code) {
      case 4401: return this.end('invalid')
      case 4403: return this.end(this.leaving ? 'left' : 'removed')
      case 4404: return this.end('gone')
      case 4410: return this.end(reason === 'deleted' ? 'deleted' : 'expired')
      default: return this.#disconnected('closed', null, code)
    }
  }

  /**
   * @param {'waiting' | 'connecting' | 'closed'} state
   * @param {number | null} retryAt
   * @param {number | null} code
   */
  #disconnected(state, retryAt, code) {
    this.outbox.closed()
    this.#requests.lost()
    this.#setState(state, state === 'waiting' ? retryAt : null, code)
  }

  /**
   * @param {RoomState} state
   * @param {number | null} retryAt
   * @param {number | null} code
   */
  #setState(state, retryAt, code) {
    if (this.state === state && this.retryAt === retryAt) return
    this.state = state
    this.retryAt = retryAt
    this.#emit('state', { state, retryAt, code: code === null ? null : CLOSE_CODES[code] ?? 'network' })
  }

  /**
   * The end of the room: nothing of it is left here.
   *
   * @param {EndReason} reason
   */
  end(reason) {
    if (this.state === 'ended') return
    const overdue = (reason === 'gone' || reason === 'invalid') && this.deadline.remaining() === 0
    this.link.close()
    this.deadline.stop()
    this.#stored.forget(this.#member.roomId, this.#member.userId)
    this.#setState('ended', null, null)
    this.#requests.lost()
    this.outbox.clear()
    this.feed.clear()
    this.presence.reset([], 0)
    this.#emit('ended', { reason: overdue ? 'expired' : reason })
  }
}
