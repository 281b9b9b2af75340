import { h } from './dom.js'

// An address ends before characters that change the direction of text, so that it
// reads as what it is.
const address = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]+/giu
const emoji = /^(?:\p{Regional_Indicator}{2}|\p{Emoji}\ufe0f?\u20e3|\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?(?:\u200d\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?)*)/u

/**
 * Returns the nodes of a message. Text stays text, and only addresses that are safe to
 * follow become links.
 *
 * @param {string} text
 * @returns {Node[]}
 */
export function linkify(text) {
  const nodes = []
  let at = 0
  for (const match of text.matchAll(address)) {
    const written = trimmed(match[0])
    const href = safe(written)
    if (href === null) continue
    if (match.index > at) nodes.push(document.createTextNode(text.slice(at, match.index)))
    // The tooltip shows the real address, even if letters imitate others.
    const title = href === written || href === `${written}/` ? null : href
    nodes.push(h('a', { href, title, target: '_blank', rel: 'noopener noreferrer nofollow', dir: 'ltr' }, written))
    at = match.index + written.length
  }
  if (at < text.length) nodes.push(document.createTextNode(text.slice(at)))
  return nodes
}

/**
 * Removes punctuation of the sentence from the end of an address, and a bracket that
 * opens before it.
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
 * Returns the URL, or null if its scheme is not safe to follow.
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
export function isOnlyEmoji(text) {
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
