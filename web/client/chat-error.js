/**
 * What goes wrong, by name.
 *
 * `code` is stable: one of the server's (docs/protocol.md, "Errors" and
 * "Refusals") or one of the client's own:
 *
 * - `network`: the server was not reached, or did not answer in time; what was
 *   asked for may have been done or not.
 * - `bad_response`: something other than the chat has answered.
 * - `offline`: the room is not connected at the moment.
 * - `closed`: the room has ended, or was closed.
 * - `insecure_context`: encryption needs a page that came over HTTPS or from
 *   localhost.
 * - `invalid_key`: what stands after the room's id in the link is not a key.
 */
export class ChatError extends Error {
  /**
   * @param {string} code
   * @param {string} [detail] for people who read logs
   * @param {number} [status] of the HTTP response, 0 if there was none
   * @param {number | null} [retryAfter] in how many milliseconds it makes sense to
   *   try again, if the server has said so
   */
  constructor(code, detail = code, status = 0, retryAfter = null) {
    super(detail)
    this.name = 'ChatError'
    this.code = code
    this.status = status
    this.retryAfter = retryAfter
  }
}
