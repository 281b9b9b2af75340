/** How long to wait beyond the deadline for the server to end the room, in
 * milliseconds. */
const GRACE = 3_000

/** The longest delay of a timer, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

/** The times of a room, by the clock of its store and not of this machine. */
export class ServerClock {
  /** @type {number | null} milliseconds since 1970 */
  startedAt = null
  /** @type {number | null} */
  expiresAt = null

  #offset = 0 // from this machine's clock to the store's, in milliseconds
  #expired
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer

  /** @param {() => void} expired is called when the deadline has passed without word
   *   from the server, as while offline */
  constructor(expired) { this.#expired = expired }

  /** The time by the store's clock, in milliseconds since 1970. */
  now() { return Date.now() + this.#offset }

  /** The milliseconds that are left, null before the room starts. */
  remaining() { return this.expiresAt === null ? null : Math.max(0, this.expiresAt - this.now()) }

  /**
   * Sets the clock from the server's time of a moment ago.
   *
   * @param {number} then
   */
  set(then) {
    this.#offset = then - Date.now()
    this.#arm()
  }

  /**
   * Advances the clock to a time that the store has passed. It never moves back: the
   * latest of such times is the most recent one.
   *
   * @param {number} then
   */
  advance(then) { this.#offset = Math.max(this.#offset, then - Date.now()) }

  /**
   * Sets the room's start and end, and reports whether they are new.
   *
   * @param {string | null} startedAt
   * @param {string | null} expiresAt
   */
  start(startedAt, expiresAt) {
    if (startedAt === null || expiresAt === null || Date.parse(expiresAt) === this.expiresAt) return false
    this.startedAt = Date.parse(startedAt)
    this.expiresAt = Date.parse(expiresAt)
    this.advance(this.startedAt)
    this.#arm()
    return true
  }

  stop() { clearTimeout(this.#timer) }

  #arm() {
    this.stop()
    const left = this.remaining()
    if (left === null) return
    const wait = Math.min(left + GRACE, LONGEST_TIMER)
    this.#timer = setTimeout(() => this.remaining() === 0 ? this.#expired() : this.#arm(), wait)
  }
}
