// What is said in a room, as it comes in: in order, nothing twice, and begun anew
// when something is missing.

import { ChatError } from './chat-error.js'
import { withoutKey } from './encryption.js'
import { Transcript } from './message-log.js'

/** How many messages are kept at hand. */
const CAPACITY = 10_000

/** How many messages to ask for at once: the most that a server gives. */
const PAGE = 200

/** When to ask again for what the server could not give, in milliseconds. */
const AGAIN = 1_000

/** @typedef {import('./message-log.js').Message} Message */

/**
 * A message as the protocol has it.
 *
 * @typedef {object} Entry
 * @property {number} seq
 * @property {string} message
 * @property {string} timestamp
 * @property {string} userId
 * @property {number} [id]
 * @property {string} [session]
 * @property {boolean} [retracted]
 */

/**
 * A message that has been read.
 *
 * @typedef {object} Heard
 * @property {Message} message
 * @property {number} number its `id` in the protocol if it was said in this session, else 0
 */

/**
 * Whom a feed serves.
 *
 * @typedef {object} FeedOwner
 * @property {string} userId
 * @property {import('./encryption.js').Secret | null} secret
 * @property {<T>(frame: object, name: string, take: (answer: any) => T) => Promise<T>} ask
 *   sends a request and hands its answer to take
 * @property {(number: number) => number | undefined} echoed is told of each message of
 *   this session that the server has told of by itself, and returns what it was called
 *   while it was pending
 * @property {(number: number) => number | undefined} idOf returns the same of one that
 *   was asked for
 * @property {() => void} renewed is called when echoes may have been lost
 * @property {import('./emitter.js').Emitter<import('./room.js').RoomEvents>['emit']} emit
 */

/** The messages of a room, and where one is in them. */
export class Feed {
  #owner
  #transcript = new Transcript(CAPACITY)
  /** @type {string | null} */
  #epoch = null // null: was never there
  /** @type {string | null} */
  #epochAtHand = null // of the messages at hand, which may be about to be replaced
  #seq = 0 // of the newest message that was heard of
  #tag = '' // of this session
  #generation = 0 // how often the messages at hand were replaced
  /** @type {Message[] | null} */
  #fresh = null // what is said while they are about to be replaced
  /** @type {Promise<boolean> | null} */
  #loading = null

  /** @param {FeedOwner} owner */
  constructor(owner) { this.#owner = owner }

  /** The messages at hand, ascending. */
  get messages() { return this.#transcript.messages }

  /** Whether the room keeps messages that precede these, and they can be had. */
  get more() { return this.#transcript.more && !this.#transcript.full }

  /** The epoch of the numbers of the messages at hand. */
  get epoch() { return this.#epochAtHand }

  /** The fields of a `join` that say where one left off. */
  get position() {
    return this.#epoch === null || this.#fresh !== null ? {} : { after: this.#seq, epoch: this.#epoch }
  }

  /**
   * Decrypts messages, or not.
   *
   * @param {Entry[]} entries
   * @param {string} tag of one's session
   * @returns {Promise<Heard[]>}
   */
  async read(entries, tag = this.#tag) {
    const { secret, userId } = this.#owner
    return Promise.all(entries.map(async entry => {
      const reading = entry.retracted ? { text: '' }
        : secret === null ? withoutKey(entry.message) : await secret.open(entry.message, entry.userId)
      const message = {
        seq: entry.seq, userId: entry.userId, ...reading, timestamp: Date.parse(entry.timestamp),
        mine: entry.userId === userId, retracted: entry.retracted === true,
      }
      return { message, number: entry.session === tag && entry.id || 0 }
    }))
  }

  /**
   * Begins, or goes on where it was left off.
   *
   * @param {any} frame
   * @param {Heard[]} heard
   * @returns what to tell, once one has been told of the welcome
   */
  welcome(frame, heard) {
    const returning = this.#epoch !== null
    const follows = heard.length === 0 ? frame.seq === this.#seq : heard[0]?.message.seq === this.#seq + 1
    const resumed = returning && this.#fresh === null && !frame.gap && follows
    this.#tag = frame.session
    this.#epoch = frame.epoch
    const messages = heard.map(each => this.#settle(each))
    this.#seq = messages.at(-1)?.seq ?? frame.seq
    if (resumed) return { resumed, gap: false, tell: () => this.#caughtUp(messages, frame.retracted ?? []) }
    this.#replace(messages, frame.more)
    return { resumed, gap: returning, tell: () => { if (returning) this.#owner.emit('gap', {}) } }
  }

  /**
   * Takes the rest of a long resume.
   *
   * @param {Heard[]} heard
   */
  replay(heard) {
    const news = heard.filter(({ message }) => message.seq > this.#seq).map(each => this.#settle(each))
    this.#seq = news.at(-1)?.seq ?? this.#seq
    this.#caughtUp(news, [])
  }

  /**
   * Takes what has just been said.
   *
   * @param {Heard} heard
   */
  message(heard) {
    const expected = this.#seq + 1
    const message = this.#settle(heard)
    if (message.seq < expected) return // it came with an answer
    this.#seq = message.seq
    if (this.#fresh !== null) {
      this.#fresh.push(message)
      return
    }
    if (message.seq > expected) { // which no server lets happen
      this.#renew([message])
      return
    }
    this.#append([message])
    this.#owner.emit('message', { message })
  }

  /**
   * Notes that what follows is not what preceded.
   *
   * @param {{ epoch: string, seq: number }} frame
   */
  gap({ epoch, seq }) {
    this.#epoch = epoch
    this.#seq = seq
    this.#renew([])
  }

  /** @param {number} seq of a message that was taken back */
  retracted(seq) {
    const message = this.#transcript.retract(seq)
    const fresh = this.#fresh?.find(message => message.seq === seq)
    if (fresh) Object.assign(fresh, { retracted: true, text: '', sealed: undefined })
    this.#owner.emit('retracted', { seq, message })
  }

  /** @param {number} seq of a message that may be at hand, and have been taken back */
  isRetracted(seq) { return this.#transcript.find(seq)?.retracted === true }

  /**
   * Loads older messages.
   *
   * @param {number} limit
   * @returns {Promise<boolean>} whether there are more
   */
  older(limit) {
    this.#loading ??= this.#load(limit).finally(() => { this.#loading = null })
    return this.#loading
  }

  /** Forgets everything. */
  clear() {
    this.#fresh = null
    this.#replace([], false)
  }

  /** @param {number} limit */
  async #load(limit) {
    if (!this.more || this.#fresh !== null) return this.more
    const generation = this.#generation
    const frame = { type: 'history', before: this.#transcript.first, limit: Math.min(limit, PAGE) }
    return this.#owner.ask(frame, 'history', ({ heard, more }) => {
      if (generation !== this.#generation) return this.more // they belong before others
      const messages = this.#transcript.prepend(this.#asked(heard), more)
      if (messages.length > 0) this.#owner.emit('messages', { messages, where: 'older' })
      return this.more
    })
  }

  /**
   * Replaces what is at hand by what the room has now.
   *
   * @param {Message[]} fresh what is known to be in it
   */
  async #renew(fresh) {
    this.#fresh = fresh
    for (;;) {
      try {
        await this.#owner.ask({ type: 'history', limit: PAGE }, 'history', ({ heard, more }) => {
          if (this.#fresh !== fresh) return // another gap has followed, or it is all over
          this.#fresh = null
          const page = this.#asked(heard)
          const newest = page.at(-1)?.seq ?? 0
          this.#replace([...page, ...fresh.filter(({ seq }) => seq > newest)], more)
          this.#seq = Math.max(this.#seq, newest)
          this.#owner.emit('gap', {})
          this.#owner.renewed()
        })
        return
      } catch (error) {
        // Without a connection, the next welcome brings what is wanted here.
        if (!(error instanceof ChatError) || error.code === 'network' || error.code === 'offline') return
      }
      await new Promise(resolve => setTimeout(resolve, AGAIN))
      if (this.#fresh !== fresh) return
    }
  }

  /**
   * Adds what was missed.
   *
   * @param {Message[]} messages
   * @param {number[]} retracted numbers of messages that were taken back meanwhile
   */
  #caughtUp(messages, retracted) {
    if (this.#fresh !== null) {
      this.#fresh.push(...messages)
      return
    }
    this.#append(messages)
    if (messages.length > 0) this.#owner.emit('messages', { messages, where: 'replay' })
    for (const seq of retracted) {
      const message = this.#transcript.retract(seq)
      if (message !== null) this.#owner.emit('retracted', { seq, message })
    }
  }

  /** @param {Message[]} messages */
  #append(messages) {
    const dropped = this.#transcript.append(messages)
    if (dropped.length > 0) this.#owner.emit('messages', { messages: dropped, where: 'dropped' })
  }

  /**
   * @param {Message[]} messages
   * @param {boolean} more
   */
  #replace(messages, more) {
    this.#fresh = null
    this.#epochAtHand = this.#epoch
    this.#generation++
    this.#transcript.reset(messages, more)
  }

  /**
   * Takes messages that were asked for.
   *
   * @param {Heard[]} heard
   */
  #asked(heard) {
    for (const { message, number } of heard) {
      const id = number > 0 ? this.#owner.idOf(number) : undefined
      if (id !== undefined) message.id = id
    }
    return heard.map(({ message }) => message)
  }

  /**
   * Tells the outbox of a message of its own.
   *
   * @param {Heard} heard
   */
  #settle({ message, number }) {
    const id = number > 0 ? this.#owner.echoed(number) : undefined
    if (id !== undefined) message.id = id
    return message
  }
}
