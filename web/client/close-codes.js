// The close codes of the WebSocket: docs/protocol.md, "Close codes".

export const GOING_AWAY = 1001
export const ABNORMAL = 1006 // without a close frame
export const INVALID_SESSION = 4401
export const REMOVED = 4403
export const ROOM_NOT_FOUND = 4404
export const ROOM_GONE = 4410

/** After these the client must not reconnect. */
export const FINAL = new Set([1007, 1009, 4400, INVALID_SESSION, REMOVED, ROOM_NOT_FOUND, 4409, ROOM_GONE])

/** After these the client waits longer before it reconnects. */
export const BUSY = new Set([4413, 4429])

/** The codes of the event `state`. */
const names = /** @type {Record<number, string>} */ ({
  [GOING_AWAY]: 'going_away', [ABNORMAL]: 'network', 1007: 'invalid_utf8', 1009: 'frame_too_large', 1011: 'internal_error',
  1013: 'unavailable', 4400: 'bad_frame', [INVALID_SESSION]: 'invalid_session', [REMOVED]: 'removed', [ROOM_NOT_FOUND]: 'room_not_found',
  4408: 'join_timeout', 4409: 'replaced', [ROOM_GONE]: 'room_gone', 4413: 'room_full', 4429: 'too_fast', 4503: 'too_slow',
})

/** @param {number} code */
export const nameOf = code => names[code] ?? 'network'
