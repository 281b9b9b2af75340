/**
 * How many messages a connection may send, by what the server says in `welcome`:
 * so many at once, and so many in `per` milliseconds. null: any number.
 *
 * @typedef {{ messages: number, per: number } | null} Rate
 */

/** What a server allows that does not say. */
export const USUAL_RATE = { messages: 10, per: 1000 }

/**
 * A token bucket that stays a little below the server's, since what leaves here
 * evenly may arrive there in a heap.
 */
export class Pace {
  #tokens = 0
  #at = 0

  /** @param {Rate} rate of a connection that begins now */
  constructor(rate) {
    this.rate = rate
    this.burst = rate === null ? Infinity : Math.max(1, Math.floor(rate.messages * 0.8))
    this.perMillisecond = rate === null ? Infinity : 0.9 * rate.messages / rate.per
    this.#tokens = this.burst
    this.#at = performance.now()
  }

  /**
   * Takes leave to send one message. It returns 0, or in how many milliseconds to
   * ask again.
   */
  take() {
    if (this.rate === null) return 0
    const now = performance.now()
    this.#tokens = Math.min(this.burst, this.#tokens + (now - this.#at) * this.perMillisecond)
    this.#at = now
    if (this.#tokens >= 1) {
      this.#tokens--
      return 0
    }
    return Math.ceil((1 - this.#tokens) / this.perMillisecond)
  }

  /** How long the server takes to allow one more message, in milliseconds. */
  get interval() { return this.rate === null ? 0 : this.rate.per / this.rate.messages }
}
