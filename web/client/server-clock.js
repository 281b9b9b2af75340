// The time of a room, which is that of its store and not of this machine.

/** How long to wait beyond the deadline for the server to say that the room has
 * ended, in milliseconds. */
const GRACE = 3_000

/** The longest time that a timer can take, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

/** When a room has started and when it ends. */
export class Deadline {
  /** @type {number | null} milliseconds since 1970 */
  startedAt = null
  /** @type {number | null} */
  expiresAt = null

  #offset = 0 // of the store's clock from this one, in milliseconds
  #passed
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer

  /** @param {() => void} passed is called when the deadline has passed and nobody
   *   has said so: one is offline */
  constructor(passed) { this.#passed = passed }

  /** The time by the clock of the store, in milliseconds since 1970. */
  now() { return Date.now() + this.#offset }

  /** How many milliseconds are left, null if the time does not run. */
  remaining() { return this.expiresAt === null ? null : Math.max(0, this.expiresAt - this.now()) }

  /**
   * Sets the clock by what it was a moment ago.
   *
   * @param {number} then
   */
  setClock(then) {
    this.#offset = then - Date.now()
    this.#arm()
  }

  /**
   * Corrects the clock by a time that has passed: the greatest is the most recent.
   *
   * @param {number} then
   */
  correctClock(then) { this.#offset = Math.max(this.#offset, then - Date.now()) }

  /**
   * Sets start and end, and reports whether that is news.
   *
   * @param {string | null} startedAt
   * @param {string | null} expiresAt
   */
  set(startedAt, expiresAt) {
    if (startedAt === null || expiresAt === null || Date.parse(expiresAt) === this.expiresAt) return false
    this.startedAt = Date.parse(startedAt)
    this.expiresAt = Date.parse(expiresAt)
    this.correctClock(this.startedAt)
    this.#arm()
    return true
  }

  stop() { clearTimeout(this.#timer) }

  #arm() {
    this.stop()
    const left = this.remaining()
    if (left === null) return
    const wait = Math.min(left + GRACE, LONGEST_TIMER)
    this.#timer = setTimeout(() => this.remaining() === 0 ? this.#passed() : this.#arm(), wait)
  }
}
