import { ChatError } from './chat-error.js'

/** The longest wait for an answer, in milliseconds. */
const TIMEOUT = 30_000

/**
 * The answer of `/createRoom` and `/joinRoom`.
 *
 * @typedef {object} JoinResponse
 * @property {string} roomId
 * @property {string} roomName
 * @property {string} userId
 * @property {string} sessionId
 * @property {'admin' | 'member'} role
 * @property {number} ttl seconds
 * @property {string | null} startedAt
 * @property {string | null} expiresAt
 */

/** The HTTP endpoints below a mount point. */
export class HttpApi {
  /**
   * @param {URL} base the mount point, which ends in a slash
   * @param {typeof fetch} fetch
   */
  constructor(base, fetch) {
    this.base = base
    this.fetch = fetch
  }

  /**
   * Calls an endpoint and returns its answer.
   *
   * @param {string} name such as `joinRoom`
   * @param {object} request
   * @returns {Promise<any>}
   * @throws {ChatError}
   */
  async call(name, request) {
    /** @type {Response} */
    let response
    /** @type {any} */
    let answer = null
    try {
      response = await this.fetch(new URL(name, this.base).href, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(request),
        cache: 'no-store',
        signal: AbortSignal.timeout(TIMEOUT),
      })
      const text = await response.text()
      if (/json/.test(response.headers.get('Content-Type') ?? '')) answer = parse(text)
    } catch (error) {
      throw new ChatError('network', `${name}: ${error instanceof Error ? error.message : error}`)
    }
    if (response.ok && answer !== null) return answer
    const code = typeof answer?.code === 'string' ? answer.code
      : response.status >= 500 ? 'unavailable' : 'bad_response'
    throw new ChatError(code, `${name}: ${answer?.detail ?? response.status}`, response.status,
      milliseconds(response.headers.get('Retry-After')))
  }
}

/** @param {string} text */
function parse(text) {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

/**
 * Returns the wait of a Retry-After field (RFC 9110, section 10.2.3), which is in
 * seconds or a date.
 *
 * @param {string | null} field
 */
function milliseconds(field) {
  if (field === null) return null
  const wait = /^\d+$/.test(field) ? Number(field) * 1000 : Date.parse(field) - Date.now()
  return Number.isFinite(wait) ? Math.max(0, wait) : null
}
