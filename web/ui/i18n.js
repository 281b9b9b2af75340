// The choice of a language, and the strings in it.

import { de } from './locales/de.js'
import { en } from './locales/en.js'
import { es } from './locales/es.js'
import { fr } from './locales/fr.js'

/** @typedef {Record<keyof typeof en, string>} Strings of one locale, by key */

/** @type {Record<string, Record<string, string>>} */
const locales = { en, de, fr, es }

/**
 * Returns the string with this key, its blanks filled with the values.
 *
 * @callback Translate
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */

/**
 * Returns the first of the wanted languages that has a locale, else English.
 *
 * @param {readonly string[]} wanted BCP 47 tags
 */
export function pickLanguage(wanted) {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0]
    if (Object.hasOwn(locales, language)) return language
  }
  return 'en'
}

/**
 * @param {string} language one that pickLanguage returned
 * @returns {Translate}
 */
export function translator(language) {
  const strings = locales[language]
  return (key, values = {}) =>
    (strings[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? '')))
}

/**
 * Isolates a name that runs from right to left, so that it does not reorder the text
 * around it (Unicode Standard Annex #9). For text without elements: a sentence, the
 * title of a window.
 *
 * @param {string} value
 */
export function isolated(value) {
  if (!/[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/.test(value)) return value
  return `\u2068${value.replace(/[\u202a-\u202e\u2066-\u2069]/g, '')}\u2069`
}

/** @param {string} key */
export const hasString = (key) => key in en
