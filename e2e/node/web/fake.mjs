// A server in the process, for what a real one does too seldom. It keeps to
// docs/protocol.md, and decides by a given random source what goes wrong.

/** A random source that can be repeated (mulberry32). */
export function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const FORBIDDEN = 'FORBIDDEN' // a text that the server never takes

/** One room with one member, whose name is anna. */
export class FakeServer {
  /** What the room has, in order. */
  kept = []
  /** How often what has happened. */
  happened = new Map()
  /** The latest connection. */
  current = null
  /** Whether nothing arrives, and nobody is told. */
  mute = false
  /** Whether echoes are lost. */
  forgetful = false
  /** What is done instead of a welcome. */
  greet = null

  #accepted = 0 // the highest id of the only session
  #random
  #trouble

  /**
   * @param {() => number} random
   * @param {number} trouble how likely it is that something goes wrong with a message
   */
  constructor(random, trouble) {
    this.#random = random
    this.#trouble = trouble
    const server = this
    this.WebSocket = class {
      readyState = 0
      constructor() {
        this.link = new Link(this)
        server.#soon(() => {
          if (this.readyState !== 0) return
          if (server.#chance(server.#trouble / 3)) {
            server.#note('refused connection')
            this.link.lose(1006)
            return
          }
          this.readyState = 1
          server.current = this.link
          this.onopen?.()
        })
      }
      send(text) { server.#soon(() => server.#take(this.link, JSON.parse(text))) }
      close() {
        this.link.alive = false
        this.readyState = 3
      }
    }
  }

  fetch = async () => new Response(JSON.stringify({
    roomId: 'room', roomName: 'r', userId: 'anna', sessionId: 's', role: 'admin', ttl: 60, startedAt: null, expiresAt: null,
  }), { headers: { 'Content-Type': 'application/json' } })

  // What arrives is handled in the order sent, whatever happens meanwhile.
  #queue = Promise.resolve()
  #soon(job) {
    this.#queue = this.#queue.then(() => new Promise(resolve => setTimeout(resolve, this.#chance(0.2) ? 2 : 0))).then(job)
  }

  #chance(p) { return this.#random() < p }

  #note(what) { this.happened.set(what, (this.happened.get(what) ?? 0) + 1) }

  #take(link, frame) {
    if (this.mute) return
    if (!link.alive) {
      // What was sent over a connection that has broken may have arrived.
      if (frame.type === 'message' && this.#chance(0.5)) this.#store(frame, null)
      return
    }
    if (frame.type === 'join') this.#join(link, frame)
    if (frame.type === 'message') this.#message(link, frame)
    if (frame.type === 'history') link.tell({ type: 'history', more: false, messages: this.kept })
    if (frame.type === 'ping') {
      this.#note('ping')
      link.tell({ type: 'pong' })
    }
  }

  #join(link, { after }) {
    if (this.greet !== null) return this.greet(link)
    const messages = after === undefined ? this.kept : this.kept.slice(after)
    const first = messages.slice(0, Math.ceil(this.#random() * (messages.length + 1)))
    link.tell({
      type: 'welcome', socketId: 'x', userId: 'anna', session: 'tag', role: 'admin',
      room: { roomId: 'room', roomName: 'r', ttl: 60, locked: false, startedAt: null, expiresAt: null },
      now: new Date().toISOString(), epoch: 'e', seq: this.kept.length, lastId: this.#accepted,
      maxMessage: 4096, messageRate: null, online: ['anna'], onlineCount: 1, more: false, gap: false, messages: first,
    })
    link.joined = true
    link.accepted = this.#accepted
    if (first.length < messages.length) link.tell({ type: 'replay', messages: messages.slice(first.length) })
  }

  #message(link, frame) {
    const { id, message } = frame
    const reason = link.refused.get(id)
    if (reason) return link.tell({ type: 'error', code: reason, message: '', id })
    if (id <= link.accepted) {
      this.#note('ack')
      return link.tell({ type: 'ack', id })
    }
    if (link.retry > 0 && id > link.retry || link.owed > 0 && id > link.owed) {
      link.owed = Math.max(link.owed, id)
      return link.tell({ type: 'error', code: 'unavailable', message: '', id })
    }
    if (id <= this.#accepted) {
      this.#note('ack')
      this.#settle(link, id)
      return link.tell({ type: 'ack', id })
    }
    if (message === FORBIDDEN) return this.#refuse(link, id, 'message_too_long')
    const trouble = this.#chance(this.#trouble) ? Math.floor(this.#random() * 8) : -1
    switch (trouble) {
      case 0: return this.#refuse(link, id, 'rate_limited')
      case 1: return this.#unavailable(link, id, 'unavailable')
      case 2: return this.#unavailable(link, id, 'internal_error')
      case 3: // stored, which nobody could say in time; the echo comes later, or never
        this.#note('unavailable, but stored')
        if (this.#chance(0.5)) {
          this.#store(frame, link)
          return link.tell({ type: 'error', code: 'unavailable', message: '', id })
        }
        this.#store(frame, null)
        return this.#unavailable(link, id, 'unavailable')
      case 4:
        this.#note('lost before it was stored')
        return link.lose(1006)
      case 5:
        this.#note('lost before the echo')
        this.#store(frame, null)
        return link.lose(this.#chance(0.5) ? 1006 : 4503)
      case 6: // the echo is part of what a gap leaves out
        this.#note('gap instead of the echo')
        this.#store(frame, null)
        return link.tell({ type: 'gap', epoch: 'e', seq: this.kept.length })
      case 7: // the connection breaks with the echo under way
        this.#note('lost after the echo')
        this.#store(frame, link)
        return link.lose(1006)
    }
    if (this.#trouble > 0 && this.#chance(0.3)) link.tell({ type: 'typing', userId: 'ben' })
    if (this.#trouble > 0 && this.#chance(0.3)) this.#other(link)
    this.#store(frame, link)
  }

  #refuse(link, id, code) {
    this.#note(code)
    link.refused.set(id, code)
    this.#settle(link, id)
    link.tell({ type: 'error', code, message: '', id })
  }

  #unavailable(link, id, code) {
    this.#note(code)
    link.retry = id
    link.owed = Math.max(link.owed, id)
    link.tell({ type: 'error', code, message: '', id })
  }

  #settle(link, id) {
    if (id === link.retry) link.retry = 0
    if (id === link.owed) link.owed = 0
  }

  #store({ id, message }, link) {
    if (id <= this.#accepted || message === FORBIDDEN) return
    this.#accepted = id
    if (link !== null) {
      link.accepted = id
      this.#settle(link, id)
    }
    this.#keep({ message, userId: 'anna', id, session: 'tag' }, link)
  }

  #other(link) { this.#keep({ message: `other ${this.kept.length}`, userId: 'ben' }, link) }

  // A connection that an echo was kept from must not hear what follows: a server
  // gives it everything in order, or a gap, or closes it.
  #keep(entry, link) {
    const kept = { seq: this.kept.length + 1, timestamp: new Date().toISOString(), ...entry }
    this.kept.push(kept)
    if (this.forgetful) return
    if (link?.joined) link.tell({ type: 'message', ...kept })
    else if (this.current?.joined) this.current.tell({ type: 'gap', epoch: 'e', seq: this.kept.length })
  }
}

/** The server's end of a connection. */
class Link {
  alive = true
  joined = false
  refused = new Map()
  accepted = 0 // as far as this connection knows
  retry = 0
  owed = 0

  constructor(socket) { this.socket = socket }

  tell(frame) {
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
