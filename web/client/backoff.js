/**
 * How long to wait before something is tried again: `first` milliseconds, twice
 * that the next time, and so on, but no longer than `max`.
 *
 * @typedef {object} Retry
 * @property {number} first
 * @property {number} max
 */

/**
 * Returns how long to wait, in milliseconds, after so many tries that have failed
 * since the last success. A random half of it keeps those apart who have lost the
 * same server.
 *
 * @param {Retry} retry
 * @param {number} failures at least 1
 */
export function backoff({ first, max }, failures) {
  const full = Math.min(max, first * 2 ** (failures - 1))
  return full * (0.5 + Math.random() / 2)
}
