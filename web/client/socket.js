// A WebSocket that is opened again when it is lost.

import { backoff } from './backoff.js'

/** How long a connection may take until it is welcomed, and how long anything may
 * take that the server has to answer, in milliseconds. The server asks its store
 * for 5 s at most, once for each. */
const ANSWER_TIME = 15_000

/** The same when there is reason to believe that the connection is dead. */
const WAKE_ANSWER_TIME = 5_000

/** After how many milliseconds without a frame the server is asked whether it is
 * there. Browsers don't tell of the protocol's own pings. */
const QUIET_TIME = 30_000

/** How long a connection must have lasted, in milliseconds, for its loss not to
 * count as another failure. */
const STABLE_TIME = 10_000

/** Wait at least so long, in milliseconds, where others have to leave first. */
const BUSY_TIME = 5_000

/** The longest wait that is taken from a server, in milliseconds. */
const LONGEST_WAIT = 60_000

// docs/protocol.md, "Close codes".
const FINAL_CODES = new Set([1007, 1009, 4400, 4401, 4403, 4404, 4409, 4410])
const BUSY_CODES = new Set([4413, 4429])
const GOING_AWAY = 1001

/** @typedef {import('./backoff.js').Retry} Retry */

/**
 * Whom a link serves. Nothing is called from within a call of the link's own
 * methods but `changed` and `ping`.
 *
 * @typedef {object} LinkOwner
 * @property {() => Promise<object>} join composes the first frame of a connection
 * @property {() => void} ping sends a frame that the server answers
 * @property {(frame: any, socket: object) => void} hear takes a frame
 * @property {(state: 'connecting' | 'waiting', retryAt: number | null, code: number | null) => void} changed
 *   `retryAt` is by the clock of this machine, `code` that of the close
 * @property {(code: number, reason: string) => void} refused is called when the
 *   server has closed the connection for good
 */

/** The connection of a room. */
export class Link {
  #url
  #WebSocket
  #retry
  #owner
  /** @type {WebSocket | null} */
  #socket = null
  #running = false
  #failures = 0
  #welcomedAt = 0 // 0: not yet
  /** @type {ReturnType<typeof setTimeout> | undefined} to the next try */
  #waiting
  #patient = false // whether the wait is the server's wish
  /** @type {ReturnType<typeof setTimeout> | undefined} to the next look at the silence */
  #watching
  #answerBy = 0 // when the connection is taken for lost; 0: no answer is due
  #onWake = () => this.wake()
  #onVisible = () => { if (document.visibilityState === 'visible') this.wake() }
  #onOffline = () => this.#ask(WAKE_ANSWER_TIME)

  /**
   * @param {URL} base the mount point
   * @param {{ WebSocket: typeof WebSocket, retry: Retry }} options
   * @param {LinkOwner} owner
   */
  constructor(base, { WebSocket, retry }, owner) {
    const url = new URL('ws', base)
    url.protocol = url.protocol.replace('http', 'ws')
    this.#url = url.href
    this.#WebSocket = WebSocket
    this.#retry = retry
    this.#owner = owner
  }

  /** Whether a lost connection is about to be opened again. */
  get isWaiting() { return this.#waiting !== undefined }

  /** Connects, and stays connected until `close` or a final refusal. */
  open() {
    if (this.#running) return
    this.#running = true
    this.#failures = 0
    globalThis.addEventListener?.('online', this.#onWake)
    globalThis.addEventListener?.('offline', this.#onOffline)
    globalThis.addEventListener?.('pageshow', this.#onWake)
    globalThis.document?.addEventListener('visibilitychange', this.#onVisible)
    this.#dial()
  }

  close() {
    if (!this.#running) return
    this.#running = false
    globalThis.removeEventListener?.('online', this.#onWake)
    globalThis.removeEventListener?.('offline', this.#onOffline)
    globalThis.removeEventListener?.('pageshow', this.#onWake)
    globalThis.document?.removeEventListener('visibilitychange', this.#onVisible)
    clearTimeout(this.#waiting)
    this.#waiting = undefined
    this.#drop()
  }

  /**
   * Notes that the room has welcomed a connection, and reports whether it is still
   * there.
   *
   * @param {object} socket as given to `hear`
   */
  welcomed(socket) {
    if (socket !== this.#socket) return false
    this.#welcomedAt = performance.now()
    // Whoever is welcomed and then lost again and again has to wait as well.
    this.#failures = Math.min(this.#failures, 2)
    this.#alive()
    return true
  }

  /**
   * Sends a frame, and reports whether there was a connection that it could be sent
   * over, which does not mean that it arrives.
   *
   * @param {object} frame
   * @param {boolean} [answered] whether the server has to answer
   */
  send(frame, answered = false) {
    if (!this.#isOpen()) return false
    this.#socket?.send(JSON.stringify(frame))
    if (answered) this.#expect(ANSWER_TIME)
    return true
  }

  /** Looks at once whether the connection works, and opens a new one if there is
   * none: to be called when the network may have changed. */
  wake() {
    if (this.#waiting !== undefined && !this.#patient) {
      clearTimeout(this.#waiting)
      this.#dial()
    } else {
      this.#ask(WAKE_ANSWER_TIME)
    }
  }

  #isOpen() { return this.#welcomedAt > 0 && this.#socket?.readyState === 1 }

  #dial() {
    this.#waiting = undefined
    this.#welcomedAt = 0
    const socket = new this.#WebSocket(this.#url)
    this.#socket = socket
    socket.onopen = async () => {
      const frame = await this.#owner.join()
      if (socket === this.#socket && socket.readyState === 1) socket.send(JSON.stringify(frame))
    }
    socket.onmessage = ({ data }) => {
      if (this.#welcomedAt > 0) this.#alive()
      this.#owner.hear(JSON.parse(data), socket)
    }
    socket.onclose = ({ code, reason }) => this.#lost(code, reason)
    socket.onerror = () => {} // the close follows
    this.#answerBy = 0
    this.#expect(ANSWER_TIME)
    this.#owner.changed('connecting', null, null)
  }

  /** Lets go of the socket, from which nothing is heard any more. */
  #drop() {
    clearTimeout(this.#watching)
    const socket = this.#socket
    this.#socket = null
    if (socket === null) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  /**
   * @param {number} code of the close; 1006 if there was none
   * @param {string} reason
   */
  #lost(code, reason) {
    const stable = this.#welcomedAt > 0 && performance.now() - this.#welcomedAt > STABLE_TIME
    this.#drop()
    if (FINAL_CODES.has(code)) {
      this.close()
      this.#owner.refused(code, reason)
      return
    }
    this.#failures = stable ? 1 : this.#failures + 1
    let wait = backoff(this.#retry, this.#failures)
    const wish = code === GOING_AWAY ? /^retry=(\d+)$/.exec(reason) : null
    if (wish) wait = Math.min(Number(wish[1]), LONGEST_WAIT)
    else if (BUSY_CODES.has(code)) wait += BUSY_TIME
    this.#patient = wish !== null || BUSY_CODES.has(code)
    this.#waiting = setTimeout(() => this.#dial(), wait)
    this.#owner.changed('waiting', Date.now() + wait, code)
  }

  /** Notes that something was heard. */
  #alive() {
    clearTimeout(this.#watching)
    this.#answerBy = 0
    this.#watching = setTimeout(() => this.#ask(ANSWER_TIME), QUIET_TIME)
  }

  /** @param {number} within milliseconds */
  #ask(within) {
    if (!this.#isOpen()) return
    this.#owner.ping()
    this.#expect(within)
  }

  /**
   * Takes the connection for lost if nothing is heard in time.
   *
   * @param {number} within milliseconds
   */
  #expect(within) {
    const by = performance.now() + within
    if (this.#answerBy > 0 && this.#answerBy <= by) return
    this.#answerBy = by
    clearTimeout(this.#watching)
    this.#watching = setTimeout(() => this.#lost(1006, ''), within)
  }
}
