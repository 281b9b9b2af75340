/**
 * An error with a stable code.
 *
 * `code` is one of the server's (docs/protocol.md, "Errors" and "Refusals") or one
 * of the client's own:
 *
 * - `network`: the server was not reached, or did not answer in time. It may have
 *   carried out the request.
 * - `bad_response`: the answer is not from the chat.
 * - `offline`: the room is not connected.
 * - `closed`: the room has ended, or was closed.
 * - `insecure_context`: encryption needs a page from HTTPS or localhost.
 * - `invalid_key`: the key in the link is malformed.
 */
export class ChatError extends Error {
  /**
   * @param {string} code
   * @param {string} [detail] for logs
   * @param {number} [status] of the HTTP response, 0 without one
   * @param {number | null} [retryAfter] the wait that the server asks for, in
   *   milliseconds
   */
  constructor(code, detail = code, status = 0, retryAfter = null) {
    super(detail)
    this.name = 'ChatError'
    this.code = code
    this.status = status
    this.retryAfter = retryAfter
  }
}
