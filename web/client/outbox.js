// What one has said and has not yet seen in the room.
//
// Messages go out one at a time: the next when the server has answered the last.
// So they are stored in the order in which they were said, whatever is refused or
// lost on the way, and the outcome of the one that is under way is never in doubt:
// it has the highest id that was ever sent, so that `lastId` of a welcome tells
// whether the room has it. See "Message ids" in docs/protocol.md.

import { backoff } from './backoff.js'
import { Pace, USUAL_RATE } from './token-bucket.js'

/** How long to wait for the fate of a message, in milliseconds, before it is sent
 * again over the same connection. The server asks its store for 5 s at most; an
 * echo can be lost in a `gap`. */
const ANSWER_TIME = 15_000

/**
 * A message that the room does not have yet.
 *
 * @typedef {object} Pending
 * @property {number} id stays the same as long as it is pending; the message that
 *   comes of it has the same `id`
 * @property {string} text
 * @property {'sending' | 'failed'} status `failed`: refused for good, until
 *   `retry` or `discard`
 * @property {string} [code] why it failed, such as `message_too_long`
 */

/**
 * The message that is under way.
 *
 * @typedef {object} Current
 * @property {Pending} pending
 * @property {number} number its `id` in the protocol, 0 if it has none yet
 * @property {string | null} message as it is sent, null if not yet encrypted
 */

/**
 * @typedef {object} Outlet
 * @property {(frame: object) => boolean} transmit sends a frame, and reports whether
 *   there was a connection to send it over
 * @property {((text: string) => Promise<string>) | null} seal encrypts
 * @property {() => void} changed is called when something in `items` has changed
 */

/** Messages on their way into the room, each of which gets there once. */
export class Outbox {
  /** @type {Pending[]} in the order said */
  items = []

  #outlet
  #retry
  #pace = new Pace(USUAL_RATE)
  #open = false
  /** @type {Current | null} */
  #current = null
  #failures = 0
  #lastNumber = 0
  #lastId = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} waits for an answer, or to send */
  #timer
  /** @type {Map<number, number>} from ids in the protocol, as sent, to our own */
  #names = new Map()

  /**
   * @param {Outlet} outlet
   * @param {import('./backoff.js').Retry} retry
   */
  constructor(outlet, retry) {
    this.#outlet = outlet
    this.#retry = retry
  }

  /**
   * Says something, as soon as possible.
   *
   * @param {string} text
   */
  add(text) {
    /** @type {Pending} */
    const pending = { id: ++this.#lastId, text, status: 'sending' }
    this.items.push(pending)
    this.#outlet.changed()
    this.#next()
    return pending
  }

  /**
   * Notes that something cannot be said.
   *
   * @param {string} text
   * @param {string} code
   */
  reject(text, code) {
    /** @type {Pending} */
    const pending = { id: ++this.#lastId, text, status: 'failed', code }
    this.items.push(pending)
    this.#outlet.changed()
    return pending
  }

  /**
   * Says something again that has failed, after all that is still to be said.
   *
   * @param {number} id
   * @returns {boolean} false if nothing that has failed has this id
   */
  retry(id) {
    const pending = this.#failed(id)
    if (pending === undefined) return false
    pending.status = 'sending'
    delete pending.code
    this.items.splice(this.items.indexOf(pending), 1)
    this.items.push(pending)
    this.#outlet.changed()
    this.#next()
    return true
  }

  /**
   * Gives up what has failed or was not sent yet.
   *
   * @param {number} id
   * @returns {boolean} false if it is under way, or not here any more
   */
  discard(id) {
    const at = this.items.findIndex(pending => pending.id === id)
    if (at < 0) return false
    if (this.#current?.pending.id === id) {
      if (this.#current.number > 0) return false
      this.#current = null
    }
    this.items.splice(at, 1)
    this.#outlet.changed()
    this.#next()
    return true
  }

  /**
   * Notes that a connection has been welcomed.
   *
   * @param {number} lastId the highest id that the room has of this session
   * @param {import('./token-bucket.js').Rate} rate
   */
  opened(lastId, rate) {
    this.#stopTimer()
    this.#open = true
    this.#pace = new Pace(rate)
    this.#failures = 0
    this.#lastNumber = Math.max(this.#lastNumber, lastId)
    if (this.#current !== null && this.#current.number > 0 && this.#current.number <= lastId) this.#settle()
    else this.#next()
  }

  /** Notes that there is no connection any more. */
  closed() {
    this.#stopTimer()
    this.#open = false
  }

  /**
   * Notes that the room has a message of this session, and returns its id here, if
   * it has one.
   *
   * @param {number} number its id in the protocol
   * @returns {number | undefined}
   */
  echoed(number) {
    const id = this.idOf(number)
    this.#names.delete(number)
    this.acknowledged(number)
    return id
  }

  /**
   * Returns the id here of a message of this session, if it has one. That it was
   * found in the history is no echo: the server may still wait to see it again.
   *
   * @param {number} number
   */
  idOf(number) { return this.#names.get(number) }

  /** @param {number} number */
  acknowledged(number) {
    if (this.#current?.number === number) this.#settle()
  }

  /**
   * Notes that the server has not taken a message.
   *
   * @param {number} number
   * @param {string} code
   */
  refused(number, code) {
    const current = this.#current
    if (current === null || current.number !== number) return
    switch (code) {
      case 'unavailable':
      case 'internal_error': // it may have been stored nevertheless: the id is not spent
        this.#sayLater(backoff(this.#retry, ++this.#failures))
        break
      case 'rate_limited':
        this.#names.delete(number)
        current.number = 0 // the id is spent
        this.#sayLater(this.#pace.interval + backoff(this.#retry, ++this.#failures))
        break
      default:
        this.#names.delete(number)
        this.#stopTimer()
        this.#current = null
        current.pending.status = 'failed'
        current.pending.code = code
        this.#outlet.changed()
        this.#next()
    }
  }

  /** Sends what is under way again, since its echo may have been lost. */
  again() {
    if (this.#current !== null && this.#current.number > 0) this.#sayLater(0)
  }

  /** Forgets everything. */
  clear() {
    this.closed()
    this.#current = null
    this.#names.clear()
    if (this.items.length > 0) {
      this.items = []
      this.#outlet.changed()
    }
  }

  #settle() {
    const settled = this.#current?.pending
    this.#stopTimer()
    this.#current = null
    this.#failures = 0
    this.items = this.items.filter(pending => pending !== settled)
    this.#outlet.changed()
    this.#next()
  }

  /** Says what comes next, unless something is under way or waits. */
  #next() {
    if (!this.#open || this.#timer !== undefined) return
    if (this.#current === null) {
      const pending = this.items.find(({ status }) => status === 'sending')
      if (pending === undefined) return
      this.#current = { pending, number: 0, message: this.#outlet.seal === null ? pending.text : null }
    }
    this.#say(this.#current)
  }

  /** @param {Current} current */
  #say(current) {
    if (current.message === null) {
      this.#seal(current)
      return
    }
    const wait = this.#pace.take()
    if (wait > 0) {
      this.#sayLater(wait)
      return
    }
    if (current.number === 0) {
      current.number = ++this.#lastNumber
      this.#names.set(current.number, current.pending.id)
    }
    this.#timer = setTimeout(() => this.again(), ANSWER_TIME)
    this.#outlet.transmit({ type: 'message', message: current.message, id: current.number })
  }

  /** @param {Current} current */
  async #seal(current) {
    const message = await this.#outlet.seal?.(current.pending.text) ?? ''
    if (current !== this.#current || current.message !== null) return // given up, or done meanwhile
    current.message = message
    this.#next()
  }

  /** @param {number} wait milliseconds */
  #sayLater(wait) {
    this.#stopTimer()
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#next()
    }, wait)
  }

  #stopTimer() {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** @param {number} id */
  #failed(id) {
    return this.items.find(pending => pending.id === id && pending.status === 'failed')
  }
}
