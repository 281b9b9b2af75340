// What somebody wrote, as nodes: text stays text, and only addresses that are
// safe to follow become links.

import { h } from './dom.js'

// Signs that turn the direction of text are not taken into an address, so that
// it reads as what it is.
const address = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]+/giu
const emoji = /^(?:\p{Regional_Indicator}{2}|\p{Emoji}\ufe0f?\u20e3|\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?(?:\u200d\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?)*)/u

/**
 * Returns the nodes of a message.
 *
 * @param {string} text
 * @returns {Node[]}
 */
export function linked(text) {
  const nodes = []
  let at = 0
  for (const match of text.matchAll(address)) {
    const written = trimmed(match[0])
    const href = safe(written)
    if (href === null) continue
    if (match.index > at) nodes.push(document.createTextNode(text.slice(at, match.index)))
    // What the browser will ask for, also where letters look like others.
    const title = href === written || href === `${written}/` ? null : href
    nodes.push(h('a', { href, title, target: '_blank', rel: 'noopener noreferrer nofollow', dir: 'ltr' }, written))
    at = match.index + written.length
  }
  if (at < text.length) nodes.push(document.createTextNode(text.slice(at)))
  return nodes
}

/**
 * Takes off what ends a sentence rather than an address, and a bracket that was
 * opened before it.
 *
 * @param {string} written
 */
function trimmed(written) {
  for (;;) {
    const last = written[written.length - 1]
    const opening = { ')': '(', ']': '[', '}': '{' }[last]
    const unbalanced = opening !== undefined && written.split(last).length > written.split(opening).length
    if (!unbalanced && !/[.,;:!?…»”’]/.test(last)) return written
    written = written.slice(0, -1)
  }
}

/**
 * Returns the URL, or null where it is not one of a scheme that may be followed.
 *
 * @param {string} written
 */
function safe(written) {
  try {
    const url = new URL(written)
    if (url.protocol === 'mailto:') return /^[^@\s]+@[^@\s]+$/.test(url.pathname) ? url.href : null
    return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname ? url.href : null
  } catch {
    return null
  }
}

/**
 * Reports whether a text is nothing but one to three emoji, which are shown large.
 *
 * @param {string} text
 */
export function onlyEmoji(text) {
  let rest = text.trim()
  if (rest.length > 40) return false
  for (let count = 0; count < 3; count += 1) {
    const match = emoji.exec(rest)
    if (!match) return false
    rest = rest.slice(match[0].length).trimStart()
    if (rest === '') return true
  }
  return false
}
