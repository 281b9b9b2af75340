/**
 * Delays between attempts: `first` milliseconds, then twice as long each time, up to
 * `max`.
 *
 * @typedef {object} Retry
 * @property {number} first
 * @property {number} max
 */

/**
 * Returns the delay in milliseconds before the next attempt. A random half of it
 * spreads the clients that have lost the same server.
 *
 * @param {Retry} retry
 * @param {number} failures since the last success, at least 1
 */
export function backoff({ first, max }, failures) {
  const full = Math.min(max, first * 2 ** (failures - 1))
  return full * (0.5 + Math.random() / 2)
}
