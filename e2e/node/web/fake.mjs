// A server in this process, for faults that are rare with a real one. It implements
// docs/protocol.md, and injects faults by a given random source.

/** Returns a repeatable random source (mulberry32). */
export function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const FORBIDDEN = 'FORBIDDEN' // a text that the server always refuses

/** A server with one room, whose one member is anna. */
export class FakeServer {
  /** The messages of the room, in order. */
  kept = []
  /** The number of faults by name. */
  faults = new Map()
  /** The latest connection. */
  current = null
  /** Whether the server ignores all frames. */
  mute = false
  /** Whether echoes are lost. */
  forgetful = false
  /** Whether each welcome has no messages, as if all were posted while it was made. */
  late = false
  /** Replaces the welcome, if set. */
  greet = null

  #accepted = 0 // the highest id of the only session
  #random
  #faultRate

  /**
   * @param {() => number} random
   * @param {number} faultRate the probability of a fault with each message
   */
  constructor(random, faultRate) {
    this.#random = random
    this.#faultRate = faultRate
    const server = this
    this.WebSocket = class {
      readyState = 0
      constructor() {
        this.connection = new Connection(this)
        server.#soon(() => {
          if (this.readyState !== 0) return
          if (server.#chance(server.#faultRate / 3)) {
            server.#count('refused connection')
            this.connection.lose(1006)
            return
          }
          this.readyState = 1
          server.current = this.connection
          this.onopen?.()
        })
      }
      send(text) { server.#soon(() => server.#take(this.connection, JSON.parse(text))) }
      close() {
        this.connection.alive = false
        this.readyState = 3
      }
    }
  }

  fetch = async () => new Response(JSON.stringify({
    roomId: 'room', roomName: 'r', userId: 'anna', sessionId: 's', role: 'admin', ttl: 60, startedAt: null, expiresAt: null,
  }), { headers: { 'Content-Type': 'application/json' } })

  // Frames are handled in the order sent, with random delays.
  #queue = Promise.resolve()
  #soon(job) {
    this.#queue = this.#queue.then(() => new Promise(resolve => setTimeout(resolve, this.#chance(0.2) ? 2 : 0))).then(job)
  }

  #chance(p) { return this.#random() < p }

  #count(name) { this.faults.set(name, (this.faults.get(name) ?? 0) + 1) }

  #take(connection, frame) {
    if (this.mute) return
    if (!connection.alive) {
      // A frame over a broken connection may have arrived.
      if (frame.type === 'message' && this.#chance(0.5)) this.#store(frame, null)
      return
    }
    if (frame.type === 'join') this.#join(connection, frame)
    if (frame.type === 'message') this.#message(connection, frame)
    if (frame.type === 'history') connection.send({ type: 'history', more: false, messages: this.kept })
    if (frame.type === 'ping') {
      this.#count('ping')
      connection.send({ type: 'pong' })
    }
  }

  #join(connection, { after }) {
    if (this.greet !== null) return this.greet(connection)
    const messages = after === undefined ? this.kept : this.kept.slice(after)
    const first = this.late ? [] : messages.slice(0, Math.floor(this.#random() * (messages.length + 1)))
    connection.send({
      type: 'welcome', socketId: 'x', userId: 'anna', session: 'tag', role: 'admin',
      room: { roomId: 'room', roomName: 'r', ttl: 60, locked: false, startedAt: null, expiresAt: null },
      now: new Date().toISOString(), epoch: 'e', seq: this.kept.length, lastId: this.#accepted,
      maxMessage: 4096, messageRate: null, online: ['anna'], onlineCount: 1, more: false, gap: false, messages: first,
    })
    connection.joined = true
    connection.accepted = this.#accepted
    if (first.length < messages.length) connection.send({ type: 'replay', messages: messages.slice(first.length) })
  }

  #message(connection, frame) {
    const { id, message } = frame
    const reason = connection.refused.get(id)
    if (reason) return connection.send({ type: 'error', code: reason, message: '', id })
    if (id <= connection.accepted) {
      this.#count('ack')
      return connection.send({ type: 'ack', id })
    }
    if (connection.firstUnacked > 0 && id > connection.firstUnacked || connection.lastUnacked > 0 && id > connection.lastUnacked) {
      connection.lastUnacked = Math.max(connection.lastUnacked, id)
      return connection.send({ type: 'error', code: 'unavailable', message: '', id })
    }
    if (id <= this.#accepted) {
      this.#count('ack')
      this.#answered(connection, id)
      return connection.send({ type: 'ack', id })
    }
    if (message === FORBIDDEN) return this.#refuse(connection, id, 'message_too_long')
    const fault = this.#chance(this.#faultRate) ? Math.floor(this.#random() * 8) : -1
    switch (fault) {
      case 0: return this.#refuse(connection, id, 'rate_limited')
      case 1: return this.#unavailable(connection, id, 'unavailable')
      case 2: return this.#unavailable(connection, id, 'internal_error')
      case 3: // stored, but not acknowledged in time; the echo comes later, or never
        this.#count('unavailable, but stored')
        if (this.#chance(0.5)) {
          this.#store(frame, connection)
          return connection.send({ type: 'error', code: 'unavailable', message: '', id })
        }
        this.#store(frame, null)
        return this.#unavailable(connection, id, 'unavailable')
      case 4:
        this.#count('lost before it was stored')
        return connection.lose(1006)
      case 5:
        this.#count('lost before the echo')
        this.#store(frame, null)
        return connection.lose(this.#chance(0.5) ? 1006 : 4503)
      case 6: // the echo falls into a gap
        this.#count('gap instead of the echo')
        this.#store(frame, null)
        return connection.send({ type: 'gap', epoch: 'e', seq: this.kept.length })
      case 7: // the connection breaks after the echo was sent
        this.#count('lost after the echo')
        this.#store(frame, connection)
        return connection.lose(1006)
    }
    if (this.#faultRate > 0 && this.#chance(0.3)) connection.send({ type: 'typing', userId: 'ben' })
    if (this.#faultRate > 0 && this.#chance(0.3)) this.#other(connection)
    this.#store(frame, connection)
  }

  #refuse(connection, id, code) {
    this.#count(code)
    connection.refused.set(id, code)
    this.#answered(connection, id)
    connection.send({ type: 'error', code, message: '', id })
  }

  #unavailable(connection, id, code) {
    this.#count(code)
    connection.firstUnacked = id
    connection.lastUnacked = Math.max(connection.lastUnacked, id)
    connection.send({ type: 'error', code, message: '', id })
  }

  #answered(connection, id) {
    if (id === connection.firstUnacked) connection.firstUnacked = 0
    if (id === connection.lastUnacked) connection.lastUnacked = 0
  }

  #store({ id, message }, connection) {
    if (id <= this.#accepted || message === FORBIDDEN) return
    this.#accepted = id
    if (connection !== null) {
      connection.accepted = id
      this.#answered(connection, id)
    }
    this.#keep({ message, userId: 'anna', id, session: 'tag' }, connection)
  }

  #other(connection) { this.#keep({ message: `other ${this.kept.length}`, userId: 'ben' }, connection) }

  // A connection that has missed an echo must not receive later messages: a server
  // sends all in order, or a gap, or closes the connection.
  #keep(entry, connection) {
    const kept = { seq: this.kept.length + 1, timestamp: new Date().toISOString(), ...entry }
    this.kept.push(kept)
    if (this.forgetful) return
    if (connection?.joined) connection.send({ type: 'message', ...kept })
    else if (this.current?.joined) this.current.send({ type: 'gap', epoch: 'e', seq: this.kept.length })
  }
}

/** The server's end of a connection. */
class Connection {
  alive = true
  joined = false
  refused = new Map()
  accepted = 0 // as far as this connection knows
  firstUnacked = 0 // the lowest id that was answered `unavailable` and not yet resent
  lastUnacked = 0 // the highest such id: the client must resend the range in order

  constructor(socket) { this.socket = socket }

  send(frame) {
    if (!this.alive) return
    const data = JSON.stringify(frame)
    queueMicrotask(() => { if (this.socket.readyState === 1) this.socket.onmessage?.({ data }) })
  }

  lose(code, reason = '') {
    if (!this.alive) return
    this.alive = false
    queueMicrotask(() => {
      if (this.socket.readyState === 3) return
      this.socket.readyState = 3
      this.socket.onclose?.({ code, reason })
    })
  }
}
