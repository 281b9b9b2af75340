// Formats times, names and errors for people.

import { hasString } from './i18n.js'

/** @typedef {import('./i18n.js').Translate} Translate */

const minute = 60_000
const hour = 60 * minute
const uuid = /^([0-9a-f]{4})[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * Returns a user's name for display. Users without a name have a UUID, which becomes
 * "Guest" and its first digits.
 *
 * @param {string} userId
 * @param {Translate} t
 */
export function nameOf(userId, t) {
  const guest = uuid.exec(userId)
  return guest ? t('app.guest', { n: guest[1].toUpperCase() }) : userId
}

/**
 * Returns the colour of a name, as a number from 0 to 11.
 *
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return ((hash ^ (hash >>> 13)) >>> 0) % 12
}

/**
 * Returns the first letter, digit or emoji of a name, else its first character.
 *
 * @param {string} name
 */
export function initialOf(name) {
  return (/\p{L}\p{M}?|\p{N}|\p{Extended_Pictographic}/u.exec(name)?.[0] ?? [...name][0] ?? '?').toUpperCase()
}

/**
 * Returns a duration in words: its two largest units.
 *
 * @param {number} seconds
 * @param {string} language
 * @param {'long' | 'short' | 'narrow'} [unitDisplay]
 */
export function duration(seconds, language, unitDisplay = 'long') {
  const parts = []
  let rest = Math.max(0, Math.round(seconds))
  for (const [unit, size] of /** @type {const} */ ([['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]])) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0 && parts.length < 2) parts.push(new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay }).format(count))
    else if (parts.length > 0) break
  }
  return parts.join(' ') || new Intl.NumberFormat(language, { style: 'unit', unit: 'second', unitDisplay }).format(0)
}

/**
 * Returns a remaining time in minutes and seconds, and above an hour in hours and
 * minutes.
 *
 * @param {number} milliseconds
 * @param {string} language
 */
export function formatCountdown(milliseconds, language) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000))
  if (seconds >= 3600) return duration(seconds - (seconds % 60), language, 'narrow')
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map()

/**
 * @param {number} time
 * @param {string} language
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(time, language, options) {
  const key = language + JSON.stringify(options)
  let made = formats.get(key)
  if (!made) formats.set(key, made = new Intl.DateTimeFormat(language, options))
  return made.format(time)
}

/**
 * Returns hours and minutes.
 *
 * @param {number} time milliseconds since 1970
 * @param {string} language
 */
export function timeOfDay(time, language) {
  return format(time, language, { hour: 'numeric', minute: '2-digit' })
}

/**
 * Returns a time relative to now, or as a time of day. Rooms are short-lived, so it
 * has no date.
 *
 * @param {number} time
 * @param {number} now
 * @param {string} language
 * @param {Translate} t
 */
export function relativeTime(time, now, language, t) {
  const age = now - time
  if (age < minute) return t('list.now')
  if (age < hour) {
    return new Intl.RelativeTimeFormat(language, { style: 'short' }).format(-Math.floor(age / minute), 'minute')
  }
  if (age < 18 * hour) return timeOfDay(time, language)
  return format(time, language, { weekday: 'short', hour: 'numeric', minute: '2-digit' })
}

/**
 * Returns a date and time to the second, for tooltips.
 *
 * @param {number} time
 * @param {string} language
 */
export function exactTime(time, language) {
  return format(time, language, { dateStyle: 'medium', timeStyle: 'medium' })
}

/** @param {unknown} error a ChatError or another */
export function codeOf(error) { return /** @type {{code?: string}} */ (error)?.code }

/**
 * Returns the text for an error.
 *
 * @param {unknown} error a ChatError, or its code
 * @param {Translate} t
 * @param {string} language
 */
export function errorText(error, t, language) {
  const { code = '', retryAfter = null } = typeof error === 'string' ? { code: error }
    : /** @type {{code?: string, retryAfter?: number | null}} */ (error ?? {})
  if (code === 'rate_limited') {
    return retryAfter ? t('error.rate_limited', { time: duration(Math.ceil(retryAfter / 1000), language) }) : t('error.slow_down')
  }
  if (code === 'offline') return t('error.network')
  return hasString(`error.${code}`) ? t(`error.${code}`) : t('error.other')
}

/**
 * Returns a string that depends on a number.
 *
 * @param {string} key without .one or .other
 * @param {number} n
 * @param {Translate} t
 * @param {string} language
 */
export function counted(key, n, t, language) {
  const form = new Intl.PluralRules(language).select(n) === 'one' ? 'one' : 'other'
  return t(`${key}.${form}`, { n })
}
