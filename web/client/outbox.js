import { backoff } from './backoff.js'
import { DEFAULT_RATE, TokenBucket } from './token-bucket.js'

/** How long to wait for the answer to a message before sending it again over the same
 * connection, in milliseconds. The server waits for its store 5 s at most; an echo
 * can get lost in a `gap`. */
const ANSWER_TIME = 15_000

/**
 * A message that the room does not have yet.
 *
 * @typedef {object} Pending
 * @property {number} id constant while it is pending; the resulting message has it, too
 * @property {string} text
 * @property {'sending' | 'failed'} status `failed`: the server refused it for good;
 *   it stays until `retry` or `discard`
 * @property {string} [code] why it failed, such as `message_too_long`
 */

/**
 * The message that is being sent.
 *
 * @typedef {object} Current
 * @property {Pending} pending
 * @property {number} number its `id` in the protocol, 0 before it has one
 * @property {string | null} message as sent, null until it is encrypted
 */

/**
 * The callbacks of an outbox.
 *
 * @typedef {object} OutboxOwner
 * @property {(frame: object) => boolean} transmit sends a frame, and reports whether a
 *   connection was open
 * @property {((text: string) => Promise<string>) | null} seal encrypts
 * @property {() => void} changed is called after each change of `items`
 */

/**
 * The messages that the user has sent and the room does not have yet.
 *
 * They go out one at a time, the next after the answer to the last. So the room stores
 * them in order, whatever the server refuses or the network loses. And the outcome of
 * the current message is never in doubt: it has the highest id that was ever sent, so
 * `lastId` of a welcome shows whether the room has it. See "Message ids" in
 * docs/protocol.md.
 */
export class Outbox {
  /** @type {Pending[]} in the order sent */
  items = []

  #owner
  #retry
  #bucket = new TokenBucket(DEFAULT_RATE)
  #open = false
  /** @type {Current | null} */
  #current = null
  #failures = 0
  #lastNumber = 0
  #lastId = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} until the answer is overdue, or the next attempt */
  #timer
  /** @type {Map<number, number>} from ids in the protocol to the ids of `items` */
  #ids = new Map()

  /**
   * @param {OutboxOwner} owner
   * @param {import('./backoff.js').Retry} retry
   */
  constructor(owner, retry) {
    this.#owner = owner
    this.#retry = retry
  }

  /**
   * Queues a message.
   *
   * @param {string} text
   */
  add(text) {
    /** @type {Pending} */
    const pending = { id: ++this.#lastId, text, status: 'sending' }
    this.items.push(pending)
    this.#owner.changed()
    this.#next()
    return pending
  }

  /**
   * Adds a message that cannot be sent.
   *
   * @param {string} text
   * @param {string} code
   */
  reject(text, code) {
    /** @type {Pending} */
    const pending = { id: ++this.#lastId, text, status: 'failed', code }
    this.items.push(pending)
    this.#owner.changed()
    return pending
  }

  /**
   * Queues a failed message again, after the others.
   *
   * @param {number} id
   * @returns {boolean} false if no failed message has this id
   */
  retry(id) {
    const pending = this.#failed(id)
    if (pending === undefined) return false
    pending.status = 'sending'
    delete pending.code
    this.items.splice(this.items.indexOf(pending), 1)
    this.items.push(pending)
    this.#owner.changed()
    this.#next()
    return true
  }

  /**
   * Removes a message that has failed or was not sent yet.
   *
   * @param {number} id
   * @returns {boolean} false if it is being sent, or not pending any more
   */
  discard(id) {
    const at = this.items.findIndex(pending => pending.id === id)
    if (at < 0) return false
    if (this.#current?.pending.id === id) {
      if (this.#current.number > 0) return false
      this.#current = null
    }
    this.items.splice(at, 1)
    this.#owner.changed()
    this.#next()
    return true
  }

  /**
   * Starts to send, after a welcome.
   *
   * @param {number} lastId the highest id of this session that the room has
   * @param {import('./token-bucket.js').Rate} rate
   */
  opened(lastId, rate) {
    this.#stopTimer()
    this.#open = true
    this.#bucket = new TokenBucket(rate)
    this.#failures = 0
    this.#lastNumber = Math.max(this.#lastNumber, lastId)
    if (this.#current !== null && this.#current.number > 0 && this.#current.number <= lastId) this.#complete()
    else this.#next()
  }

  /** Stops sending: the connection is lost. */
  closed() {
    this.#stopTimer()
    this.#open = false
  }

  /**
   * Handles the echo of a message of this session, and returns its id in `items`, if it
   * has one.
   *
   * @param {number} number its id in the protocol
   * @returns {number | undefined}
   */
  echoed(number) {
    const id = this.idOf(number)
    this.#ids.delete(number)
    this.acknowledged(number)
    return id
  }

  /**
   * Returns the id in `items` of a message of this session, if it has one.
   *
   * @param {number} number
   */
  idOf(number) { return this.#ids.get(number) }

  /**
   * Completes the current message if it has this id in the protocol.
   *
   * @param {number} number
   */
  acknowledged(number) {
    if (this.#current?.number === number) this.#complete()
  }

  /**
   * Handles a refusal: retries, or marks the message as failed.
   *
   * @param {number} number
   * @param {string} code
   */
  refused(number, code) {
    const current = this.#current
    if (current === null || current.number !== number) return
    switch (code) {
      case 'unavailable':
      case 'internal_error': // the room may have it nevertheless, so the id stays in use
        this.#sendLater(backoff(this.#retry, ++this.#failures))
        break
      case 'rate_limited':
        this.#ids.delete(number)
        current.number = 0 // the server will not accept this id again
        this.#sendLater(this.#bucket.interval + backoff(this.#retry, ++this.#failures))
        break
      default:
        this.#ids.delete(number)
        this.#stopTimer()
        this.#current = null
        current.pending.status = 'failed'
        current.pending.code = code
        this.#owner.changed()
        this.#next()
    }
  }

  /** Sends the current message again: its echo may have got lost. */
  resend() {
    if (this.#current !== null && this.#current.number > 0) this.#sendLater(0)
  }

  /** Drops all messages. */
  clear() {
    this.closed()
    this.#current = null
    this.#ids.clear()
    if (this.items.length > 0) {
      this.items = []
      this.#owner.changed()
    }
  }

  #complete() {
    const completed = this.#current?.pending
    this.#stopTimer()
    this.#current = null
    this.#failures = 0
    this.items = this.items.filter(pending => pending !== completed)
    this.#owner.changed()
    this.#next()
  }

  /** Sends the current or the next message, unless it waits for an answer or a delay. */
  #next() {
    if (!this.#open || this.#timer !== undefined) return
    if (this.#current === null) {
      const pending = this.items.find(({ status }) => status === 'sending')
      if (pending === undefined) return
      this.#current = { pending, number: 0, message: this.#owner.seal === null ? pending.text : null }
    }
    this.#send(this.#current)
  }

  /** @param {Current} current */
  #send(current) {
    if (current.message === null) {
      this.#seal(current)
      return
    }
    const wait = this.#bucket.take()
    if (wait > 0) {
      this.#sendLater(wait)
      return
    }
    if (current.number === 0) {
      current.number = ++this.#lastNumber
      this.#ids.set(current.number, current.pending.id)
    }
    this.#timer = setTimeout(() => this.resend(), ANSWER_TIME)
    this.#owner.transmit({ type: 'message', message: current.message, id: current.number })
  }

  /** @param {Current} current */
  async #seal(current) {
    const message = await this.#owner.seal?.(current.pending.text) ?? ''
    if (current !== this.#current || current.message !== null) return // it was discarded or completed meanwhile
    current.message = message
    this.#next()
  }

  /** @param {number} wait milliseconds */
  #sendLater(wait) {
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
