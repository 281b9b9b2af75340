/**
 * How many messages a connection may send, from the server's `welcome`: `messages`
 * at once, and as many again in `per` milliseconds. null: any number.
 *
 * @typedef {{ messages: number, per: number } | null} Rate
 */

/** The rate of a server that announces none. */
export const DEFAULT_RATE = { messages: 10, per: 1000 }

/**
 * A token bucket that stays below the server's: the network may deliver messages
 * that were sent at even intervals in one burst.
 */
export class TokenBucket {
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

  /** Takes a token and returns 0, or returns the milliseconds until the next one. */
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

  /** The milliseconds in which the server's bucket gains one token. */
  get interval() { return this.rate === null ? 0 : this.rate.per / this.rate.messages }
}
