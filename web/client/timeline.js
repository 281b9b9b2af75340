import { ChatError } from './chat-error.js'
import { withoutKey } from './encryption.js'
import { MessageLog } from './message-log.js'

/** The largest number of messages that the client keeps. */
const CAPACITY = 10_000

/** The number of messages in one request: the most that a server returns. */
const PAGE_SIZE = 200

/** The delay before a failed request is repeated, in milliseconds. */
const RETRY_DELAY = 1_000

/** @typedef {import('./message-log.js').Message} Message */

/**
 * A message in a frame of the protocol.
 *
 * @typedef {object} WireMessage
 * @property {number} seq
 * @property {string} message
 * @property {string} timestamp
 * @property {string} userId
 * @property {number} [id]
 * @property {string} [session]
 * @property {boolean} [retracted]
 */

/**
 * A decoded message.
 *
 * @typedef {object} Received
 * @property {Message} message
 * @property {number} number its `id` in the protocol if this session sent it, else 0
 */

/**
 * The callbacks of a timeline.
 *
 * @typedef {object} TimelineOwner
 * @property {string} userId
 * @property {import('./encryption.js').RoomCipher | null} cipher
 * @property {<T>(frame: object, name: string, take: (answer: any) => T) => Promise<T>} request
 *   sends a request and passes its answer to take
 * @property {(number: number) => number | undefined} echoed is called for each message
 *   of this session that the server broadcasts or replays, and returns its id while it
 *   was pending
 * @property {(number: number) => number | undefined} idOf returns the same id for a
 *   message from the history
 * @property {() => void} resynced is called when echoes may have been lost
 * @property {import('./emitter.js').Emitter<import('./room.js').RoomEvents>['emit']} emit
 */

/**
 * The messages of a room in order, each once, and the client's position in them. When
 * messages are missing, it loads the newest ones again.
 */
export class Timeline {
  #owner
  #log = new MessageLog(CAPACITY)
  /** @type {string | null} */
  #epoch = null // null: never connected
  /** @type {string | null} */
  #logEpoch = null // of the messages in the log, which may be about to be replaced
  #seq = 0 // the server continues with the message after this one
  #tag = '' // marks the messages of this session
  #generation = 0 // counts the replacements of the log
  /** @type {Message[] | null} */
  #incoming = null // the messages that arrive while the log is about to be replaced
  /** @type {Promise<boolean> | null} */
  #loading = null

  /** @param {TimelineOwner} owner */
  constructor(owner) { this.#owner = owner }

  /** The messages in the log, ascending. */
  get messages() { return this.#log.messages }

  /** Whether the room has older messages and the log has space for them. */
  get more() { return this.#log.more && !this.#log.full }

  /** The epoch of the message numbers in the log. */
  get epoch() { return this.#logEpoch }

  /** The fields of a `join` frame that give the client's position. */
  get position() {
    return this.#epoch === null || this.#incoming !== null ? {} : { after: this.#seq, epoch: this.#epoch }
  }

  /**
   * Decodes messages, and decrypts those of a private room.
   *
   * @param {WireMessage[]} entries
   * @param {string} tag of this session
   * @returns {Promise<Received[]>}
   */
  async decode(entries, tag = this.#tag) {
    const { cipher, userId } = this.#owner
    return Promise.all(entries.map(async entry => {
      const content = entry.retracted ? { text: '' }
        : cipher === null ? withoutKey(entry.message) : await cipher.open(entry.message, entry.userId)
      const message = {
        seq: entry.seq, userId: entry.userId, ...content, timestamp: Date.parse(entry.timestamp),
        mine: entry.userId === userId, retracted: entry.retracted === true,
      }
      return { message, number: entry.session === tag && entry.id || 0 }
    }))
  }

  /**
   * Handles a welcome: the first one, or one that resumes or replaces the timeline.
   *
   * @param {any} frame
   * @param {Received[]} received
   * @returns `announce` emits the events that have to follow the welcome's
   */
  welcome(frame, received) {
    const returning = this.#epoch !== null
    const follows = received.length === 0 ? frame.seq >= this.#seq : received[0]?.message.seq === this.#seq + 1
    const resumed = returning && this.#incoming === null && !frame.gap && follows
    this.#tag = frame.session
    this.#epoch = frame.epoch
    const messages = received.map(each => this.#matchEcho(each))
    // Not frame.seq: it counts messages that were posted while the server made the
    // welcome, and a replay brings these.
    this.#seq = messages.at(-1)?.seq ?? (resumed ? this.#seq : 0)
    if (resumed) return { resumed, gap: false, announce: () => this.#addMissed(messages, frame.retracted ?? []) }
    this.#replace(messages, frame.more)
    return { resumed, gap: returning, announce: () => { if (returning) this.#owner.emit('gap', {}) } }
  }

  /**
   * Adds the next part of a long resume.
   *
   * @param {Received[]} received
   */
  replay(received) {
    const missed = received.filter(({ message }) => message.seq > this.#seq).map(each => this.#matchEcho(each))
    this.#seq = missed.at(-1)?.seq ?? this.#seq
    this.#addMissed(missed, [])
  }

  /**
   * Adds a new message.
   *
   * @param {Received} received
   */
  message(received) {
    const expected = this.#seq + 1
    const message = this.#matchEcho(received)
    if (message.seq < expected) return // an answer contained it
    this.#seq = message.seq
    if (this.#incoming !== null) {
      this.#incoming.push(message)
      return
    }
    if (message.seq > expected) { // a defect of the server
      this.#reload([message])
      return
    }
    this.#append([message])
    this.#owner.emit('message', { message })
  }

  /**
   * Handles a gap: the messages that follow don't continue the log.
   *
   * @param {{ epoch: string, seq: number }} frame
   */
  gap({ epoch, seq }) {
    this.#epoch = epoch
    this.#seq = seq
    this.#reload([])
  }

  /** @param {number} seq of a retracted message */
  retracted(seq) {
    const message = this.#log.retract(seq)
    const incoming = this.#incoming?.find(message => message.seq === seq)
    if (incoming) Object.assign(incoming, { retracted: true, text: '', sealed: undefined })
    this.#owner.emit('retracted', { seq, message })
  }

  /** @param {number} seq */
  isRetracted(seq) { return this.#log.find(seq)?.retracted === true }

  /**
   * Loads older messages.
   *
   * @param {number} limit
   * @returns {Promise<boolean>} whether the room has more
   */
  older(limit) {
    this.#loading ??= this.#load(limit).finally(() => { this.#loading = null })
    return this.#loading
  }

  /** Drops all messages. */
  clear() {
    this.#incoming = null
    this.#replace([], false)
  }

  /** @param {number} limit */
  async #load(limit) {
    if (!this.more || this.#incoming !== null) return this.more
    const generation = this.#generation
    const frame = { type: 'history', before: this.#log.first, limit: Math.min(limit, PAGE_SIZE) }
    return this.#owner.request(frame, 'history', ({ received, more }) => {
      if (generation !== this.#generation) return this.more // the log was replaced
      const messages = this.#log.prepend(this.#fromHistory(received), more)
      if (messages.length > 0) this.#owner.emit('messages', { messages, where: 'older' })
      return this.more
    })
  }

  /**
   * Replaces the log with the newest messages of the room. It repeats the request
   * until it succeeds, another gap follows, or the connection is lost.
   *
   * @param {Message[]} incoming messages that have already arrived
   */
  async #reload(incoming) {
    this.#incoming = incoming
    for (;;) {
      try {
        await this.#owner.request({ type: 'history', limit: PAGE_SIZE }, 'history', ({ received, more }) => {
          if (this.#incoming !== incoming) return // another gap has followed, or the room has ended
          this.#incoming = null
          const page = this.#fromHistory(received)
          const newest = page.at(-1)?.seq ?? 0
          this.#replace([...page, ...incoming.filter(({ seq }) => seq > newest)], more)
          this.#seq = Math.max(this.#seq, newest)
          this.#owner.emit('gap', {})
          this.#owner.resynced()
        })
        return
      } catch (error) {
        // Without a connection, the next welcome replaces the log.
        if (!(error instanceof ChatError) || error.code === 'network' || error.code === 'offline') return
      }
      await new Promise(resolve => setTimeout(resolve, RETRY_DELAY))
      if (this.#incoming !== incoming) return
    }
  }

  /**
   * Adds messages that were sent while the client was disconnected.
   *
   * @param {Message[]} messages
   * @param {number[]} retracted numbers of the messages that were retracted meanwhile
   */
  #addMissed(messages, retracted) {
    if (this.#incoming !== null) {
      this.#incoming.push(...messages)
      return
    }
    this.#append(messages)
    if (messages.length > 0) this.#owner.emit('messages', { messages, where: 'replay' })
    for (const seq of retracted) {
      const message = this.#log.retract(seq)
      if (message !== null) this.#owner.emit('retracted', { seq, message })
    }
  }

  /** @param {Message[]} messages */
  #append(messages) {
    const dropped = this.#log.append(messages)
    if (dropped.length > 0) this.#owner.emit('messages', { messages: dropped, where: 'dropped' })
  }

  /**
   * @param {Message[]} messages
   * @param {boolean} more
   */
  #replace(messages, more) {
    this.#incoming = null
    this.#logEpoch = this.#epoch
    this.#generation++
    this.#log.reset(messages, more)
  }

  /**
   * Returns messages of the history. Finding a message there is no echo: the server may
   * still wait to receive it again.
   *
   * @param {Received[]} received
   */
  #fromHistory(received) {
    for (const { message, number } of received) {
      const id = number > 0 ? this.#owner.idOf(number) : undefined
      if (id !== undefined) message.id = id
    }
    return received.map(({ message }) => message)
  }

  /**
   * Reports a message of this session to the outbox, and marks it with the id from
   * there.
   *
   * @param {Received} received
   */
  #matchEcho({ message, number }) {
    const id = number > 0 ? this.#owner.echoed(number) : undefined
    if (id !== undefined) message.id = id
    return message
  }
}
