import { backoff } from './backoff.js'
import { ABNORMAL, BUSY, FINAL, GOING_AWAY } from './close-codes.js'

/** The longest wait for a welcome, and for any frame that the server has to answer,
 * in milliseconds. The server waits for its store 5 s at most, once for each. */
const ANSWER_TIME = 15_000

/** The same where the connection may well be dead. */
const WAKE_ANSWER_TIME = 5_000

/** The milliseconds without a frame after which the client sends a ping. Browsers
 * don't expose the pings of the WebSocket protocol. */
const QUIET_TIME = 30_000

/** The milliseconds that a connection must have lasted for its loss not to count as
 * a further failure. */
const STABLE_TIME = 10_000

/** The shortest wait where others have to leave first, in milliseconds. */
const BUSY_TIME = 5_000

/** The longest wait that the server can ask for, in milliseconds. */
const LONGEST_WAIT = 60_000

/** @typedef {import('./backoff.js').Retry} Retry */

/**
 * The callbacks of a socket. Its methods call `changed` and `ping` synchronously, and
 * none of the others.
 *
 * @typedef {object} SocketHandler
 * @property {() => Promise<object>} join returns the first frame of a connection
 * @property {() => void} ping sends a frame that the server answers
 * @property {(frame: any, socket: object) => void} receive handles a frame
 * @property {(state: 'connecting' | 'waiting', retryAt: number | null, code: number | null) => void} changed
 *   `retryAt` is by the clock of this machine, `code` is the close code
 * @property {(code: number, reason: string) => void} refused is called when the
 *   server has closed the connection for good
 */

/** A WebSocket that reconnects after it is lost. */
export class ReconnectingSocket {
  #url
  #WebSocket
  #retry
  #handler
  /** @type {WebSocket | null} */
  #socket = null
  #running = false
  #failures = 0
  #welcomedAt = 0 // 0: not yet
  /** @type {ReturnType<typeof setTimeout> | undefined} until the next attempt */
  #reconnectTimer
  #mustWait = false // whether the server has asked for the wait
  /** @type {ReturnType<typeof setTimeout> | undefined} until the next ping, or the end of the connection */
  #aliveTimer
  #answerBy = 0 // when the connection counts as lost; 0: no answer is due
  #onWake = () => this.wake()
  #onVisible = () => { if (document.visibilityState === 'visible') this.wake() }
  #onOffline = () => this.#probe(WAKE_ANSWER_TIME)

  /**
   * @param {URL} base the mount point
   * @param {{ WebSocket: typeof WebSocket, retry: Retry }} options
   * @param {SocketHandler} handler
   */
  constructor(base, { WebSocket, retry }, handler) {
    const url = new URL('ws', base)
    url.protocol = url.protocol.replace('http', 'ws')
    this.#url = url.href
    this.#WebSocket = WebSocket
    this.#retry = retry
    this.#handler = handler
  }

  /** Whether the socket waits to reconnect. */
  get isWaiting() { return this.#reconnectTimer !== undefined }

  /** Connects, and reconnects until `close` or a final refusal. */
  open() {
    if (this.#running) return
    this.#running = true
    this.#failures = 0
    globalThis.addEventListener?.('online', this.#onWake)
    globalThis.addEventListener?.('offline', this.#onOffline)
    globalThis.addEventListener?.('pageshow', this.#onWake)
    globalThis.document?.addEventListener('visibilitychange', this.#onVisible)
    this.#connect()
  }

  close() {
    if (!this.#running) return
    this.#running = false
    globalThis.removeEventListener?.('online', this.#onWake)
    globalThis.removeEventListener?.('offline', this.#onOffline)
    globalThis.removeEventListener?.('pageshow', this.#onWake)
    globalThis.document?.removeEventListener('visibilitychange', this.#onVisible)
    clearTimeout(this.#reconnectTimer)
    this.#reconnectTimer = undefined
    this.#detach()
  }

  /**
   * Records the welcome of a connection, and reports whether it is still the current
   * one.
   *
   * @param {object} socket as passed to `receive`
   */
  welcomed(socket) {
    if (socket !== this.#socket) return false
    this.#welcomedAt = performance.now()
    // A client that is welcomed and then loses the connection each time backs off, too.
    this.#failures = Math.min(this.#failures, 2)
    this.#alive()
    return true
  }

  /**
   * Sends a frame, and reports whether a connection was open. The frame may still get
   * lost.
   *
   * @param {object} frame
   * @param {boolean} [answered] whether the server has to answer
   */
  send(frame, answered = false) {
    if (!this.#isOpen()) return false
    this.#socket?.send(JSON.stringify(frame))
    if (answered) this.#expectWithin(ANSWER_TIME)
    return true
  }

  /** Probes the connection at once, or reconnects. Call it when the network may have
   * changed. */
  wake() {
    if (this.#reconnectTimer !== undefined && !this.#mustWait) {
      clearTimeout(this.#reconnectTimer)
      this.#connect()
    } else {
      this.#probe(WAKE_ANSWER_TIME)
    }
  }

  #isOpen() { return this.#welcomedAt > 0 && this.#socket?.readyState === 1 }

  #connect() {
    this.#reconnectTimer = undefined
    this.#welcomedAt = 0
    const socket = new this.#WebSocket(this.#url)
    this.#socket = socket
    socket.onopen = async () => {
      const frame = await this.#handler.join()
      if (socket === this.#socket && socket.readyState === 1) socket.send(JSON.stringify(frame))
    }
    socket.onmessage = ({ data }) => {
      if (this.#welcomedAt > 0) this.#alive()
      this.#handler.receive(JSON.parse(data), socket)
    }
    socket.onclose = ({ code, reason }) => this.#lost(code, reason)
    socket.onerror = () => {} // the close follows
    this.#answerBy = 0
    this.#expectWithin(ANSWER_TIME)
    this.#handler.changed('connecting', null, null)
  }

  /** Closes the socket and ignores its events from now on. */
  #detach() {
    clearTimeout(this.#aliveTimer)
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
    this.#detach()
    if (FINAL.has(code)) {
      this.close()
      this.#handler.refused(code, reason)
      return
    }
    this.#failures = stable ? 1 : this.#failures + 1
    let wait = backoff(this.#retry, this.#failures)
    const asked = code === GOING_AWAY ? /^retry=(\d+)$/.exec(reason) : null
    if (asked) wait = Math.min(Number(asked[1]), LONGEST_WAIT)
    else if (BUSY.has(code)) wait += BUSY_TIME
    this.#mustWait = asked !== null || BUSY.has(code)
    this.#reconnectTimer = setTimeout(() => this.#connect(), wait)
    this.#handler.changed('waiting', Date.now() + wait, code)
  }

  /** Records that a frame has arrived. */
  #alive() {
    clearTimeout(this.#aliveTimer)
    this.#answerBy = 0
    this.#aliveTimer = setTimeout(() => this.#probe(ANSWER_TIME), QUIET_TIME)
  }

  /**
   * Pings the server.
   *
   * @param {number} within milliseconds, for the answer
   */
  #probe(within) {
    if (!this.#isOpen()) return
    this.#handler.ping()
    this.#expectWithin(within)
  }

  /**
   * Treats the connection as lost unless a frame arrives in time.
   *
   * @param {number} within milliseconds
   */
  #expectWithin(within) {
    const by = performance.now() + within
    if (this.#answerBy > 0 && this.#answerBy <= by) return
    this.#answerBy = by
    clearTimeout(this.#aliveTimer)
    this.#aliveTimer = setTimeout(() => this.#lost(ABNORMAL, ''), within)
  }
}
