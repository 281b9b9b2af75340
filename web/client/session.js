import { ChatError } from './chat-error.js'
import { INVALID_SESSION, nameOf, REMOVED, ROOM_GONE, ROOM_NOT_FOUND } from './close-codes.js'
import { Outbox } from './outbox.js'
import { Presence } from './presence.js'
import { Requests } from './requests.js'
import { ServerClock } from './server-clock.js'
import { ReconnectingSocket } from './socket.js'
import { Timeline } from './timeline.js'
import { DEFAULT_RATE } from './token-bucket.js'

/** The longest message, in bytes, of a server that announces no limit. */
const DEFAULT_MAX_MESSAGE = 4096

/**
 * @typedef {import('./room.js').RoomState} RoomState
 * @typedef {import('./room.js').EndReason} EndReason
 */

/** A member's session: it connects the parts of a room, and handles every frame. */
export class Session {
  /** @type {RoomState} */
  state = 'closed'
  /** @type {number | null} */
  retryAt = null
  locked = false
  /** The longest message, in bytes. */
  maxMessage = DEFAULT_MAX_MESSAGE
  /** Whether the user is leaving, which the server reports as a removal. */
  leaving = false

  presence = new Presence()
  clock = new ServerClock(() => this.end('expired'))
  #requests = new Requests()
  #member
  #credentials
  #emit

  // Frames are handled in order, although decryption in a private room is
  // asynchronous.
  #queue = Promise.resolve()

  /**
   * @param {import('./http-api.js').JoinResponse} response
   * @param {import('./room.js').RoomParts} parts
   * @param {import('./emitter.js').Emitter<import('./room.js').RoomEvents>['emit']} emit
   */
  constructor(response, { api, credentials, cipher, WebSocket, retry }, emit) {
    const { roomId, userId, sessionId, roomName, role, ttl, startedAt, expiresAt } = response
    this.#member = { roomId, userId, sessionId }
    this.#credentials = credentials
    this.#emit = emit
    this.roomName = roomName
    this.role = role
    this.ttl = ttl
    /** @type {Outbox} */
    this.outbox = new Outbox({
      transmit: frame => this.socket.send(frame, true),
      seal: cipher && (text => cipher.seal(text, userId)),
      changed: () => emit('pending', { pending: this.outbox.items }),
    }, retry)
    /** @type {Timeline} */
    this.timeline = new Timeline({
      userId,
      cipher,
      request: (frame, name, take) => this.request(frame, name, take),
      echoed: number => this.outbox.echoed(number),
      idOf: number => this.outbox.idOf(number),
      resynced: () => this.outbox.resend(),
      emit,
    })
    /** @type {ReconnectingSocket} */
    this.socket = new ReconnectingSocket(api.base, { WebSocket, retry }, {
      join: () => this.#join(),
      ping: () => this.#ping(),
      receive: (frame, socket) => this.#enqueue(() => this.#receive(frame, socket)),
      changed: (state, retryAt, code) => this.#changed(state, retryAt, code),
      refused: (code, reason) => this.#enqueue(() => this.#refused(code, reason)),
    })
    this.clock.start(startedAt, expiresAt)
    credentials.put(roomId, { userId, sessionId, expiresAt: this.clock.expiresAt })
  }

  /** Disconnects. */
  close() {
    this.socket.close()
    this.clock.stop()
    if (this.state !== 'ended') this.#disconnected('closed', null, null)
  }

  /**
   * Sends a request and passes its answer to take before handling any later frame.
   *
   * @template T
   * @param {object} frame
   * @param {string} name
   * @param {(answer: any) => T} take
   * @returns {Promise<T>}
   */
  async request(frame, name, take) {
    if (this.state !== 'open' || !this.socket.send(frame, true)) throw new ChatError('offline')
    return this.#requests.add(name, take)
  }

  /**
   * Retracts a message. The server does not answer if it was retracted before, so a
   * ping follows: its answer completes the request in that case.
   *
   * @param {number} seq
   */
  async retract(seq) {
    if (this.timeline.isRetracted(seq)) return
    const name = `retract ${seq}`
    const done = this.request({ type: 'retract', seq, epoch: this.timeline.epoch }, name, () => {})
    this.#ping(() => { this.#requests.answer(name, null) })
    await done
  }

  /**
   * Pings the server, which answers after it has handled the frames sent before.
   *
   * @param {() => void} [take]
   */
  #ping(take = () => {}) {
    // A missing answer shows in the state.
    if (this.socket.send({ type: 'ping' })) this.#requests.add('pong', take).catch(() => {})
  }

  async #join() {
    await this.#queue // frames of the last connection advance the position
    return { type: 'join', ...this.#member, ...this.timeline.position }
  }

  /**
   * Runs a job after those before it, unless the room has ended by then.
   *
   * @param {() => void | Promise<void>} job
   */
  #enqueue(job) {
    this.#queue = this.#queue.then(() => this.state === 'ended' ? undefined : job()).catch(error => {
      // A defect: later frames must go on, and the error must be visible.
      queueMicrotask(() => { throw error })
    })
  }

  /**
   * @param {any} frame
   * @param {object} socket
   */
  async #receive(frame, socket) {
    switch (frame.type) {
      case 'welcome': return this.#welcome(frame, await this.timeline.decode(frame.messages, frame.session), socket)
      case 'replay': return this.timeline.replay(await this.timeline.decode(frame.messages))
      case 'message': {
        const [received] = await this.timeline.decode([frame])
        if (received === undefined) return
        this.clock.advance(received.message.timestamp)
        return this.timeline.message(received)
      }
      case 'history': {
        const received = await this.timeline.decode(frame.messages)
        this.#requests.answer('history', { received, more: frame.more })
        return
      }
      case 'gap': return this.timeline.gap(frame)
      case 'retracted':
        this.timeline.retracted(frame.seq)
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
        this.presence.setCount(frame.onlineCount)
        return this.#emit('online', {})
      case 'removed': return this.end(this.leaving ? 'left' : 'removed')
      case 'ended': return this.end(frame.reason)
      case 'pong':
        this.#requests.answer('pong', null)
        return
      // Other types belong to later versions.
    }
  }

  /**
   * @param {any} frame
   * @param {import('./timeline.js').Received[]} received
   * @param {object} socket
   */
  #welcome(frame, received, socket) {
    this.role = frame.role
    this.roomName = frame.room.roomName
    this.ttl = frame.room.ttl
    this.maxMessage = frame.maxMessage ?? DEFAULT_MAX_MESSAGE
    this.clock.set(Date.parse(frame.now))
    this.presence.reset(frame.online, frame.onlineCount)
    const { resumed, gap, announce } = this.timeline.welcome(frame, received)
    const open = this.socket.welcomed(socket)
    if (open) this.#setState('open', null, null)
    this.#emit('welcome', { resumed, gap })
    this.started(frame.room.startedAt, frame.room.expiresAt)
    this.setLocked(frame.room.locked)
    this.#emit('online', {})
    announce()
    if (open) this.outbox.opened(frame.lastId, frame.messageRate === undefined ? DEFAULT_RATE : frame.messageRate)
  }

  /** @param {{ code: string, id?: number, seq?: number }} frame */
  #error({ code, id, seq }) {
    if (id !== undefined) this.outbox.refused(id, code)
    else this.#requests.refuse(seq === undefined ? 'history' : `retract ${seq}`, new ChatError(code))
  }

  /**
   * Records the start of the room.
   *
   * @param {string | null} startedAt
   * @param {string | null} expiresAt
   */
  started(startedAt, expiresAt) {
    if (!this.clock.start(startedAt, expiresAt)) return
    const { roomId, userId } = this.#member
    const stored = this.#credentials.get(roomId)
    if (stored?.userId === userId) this.#credentials.put(roomId, { ...stored, expiresAt: this.clock.expiresAt })
    this.#emit('started', { startedAt: this.clock.startedAt ?? 0, expiresAt: this.clock.expiresAt ?? 0 })
  }

  /** @param {boolean} locked whether the room refuses new members */
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
    // The frames that arrived before the loss are handled first.
    this.#enqueue(() => {
      if (this.state !== 'closed') this.#disconnected(this.socket.isWaiting ? state : 'connecting', retryAt, code)
    })
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #refused(code, reason) {
    switch (code) {
      case INVALID_SESSION: return this.end('invalid')
      case REMOVED: return this.end(this.leaving ? 'left' : 'removed')
      case ROOM_NOT_FOUND: return this.end('gone')
      case ROOM_GONE: return this.end(reason === 'deleted' ? 'deleted' : 'expired')
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
    this.#emit('state', { state, retryAt, code: code === null ? null : nameOf(code) })
  }

  /**
   * Ends the room for this client, and drops all of its data.
   *
   * @param {EndReason} reason
   */
  end(reason) {
    if (this.state === 'ended') return
    const overdue = (reason === 'gone' || reason === 'invalid') && this.clock.remaining() === 0
    this.socket.close()
    this.clock.stop()
    this.#credentials.forget(this.#member.roomId, this.#member.userId)
    this.#setState('ended', null, null)
    this.#requests.lost()
    this.outbox.clear()
    this.timeline.clear()
    this.presence.reset([], 0)
    this.#emit('ended', { reason: overdue ? 'expired' : reason })
  }
}
