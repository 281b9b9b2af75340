import { avatar } from './controls.js'
import { h } from './dom.js'
import { errorText, exactTime, hueOf, nameOf, relativeTime } from './format.js'
import { icon } from './icons.js'
import { isOnlyEmoji, linkify } from './linkify.js'

/**
 * @typedef {import('../client/client.js').Message} Message
 * @typedef {import('../client/client.js').Pending} Pending
 * @typedef {import('./controls.js').Ui} Ui
 */

/** The longest pause within a group of messages of one user, in milliseconds. */
const GROUP = 5 * 60_000

/**
 * Reports whether a message starts a group.
 *
 * @param {Message | undefined} before
 * @param {Message} message
 */
export function startsGroup(before, message) {
  return before === undefined || before.userId !== message.userId || message.timestamp - before.timestamp > GROUP
}

/**
 * Makes the row of a message.
 *
 * @param {Ui} ui
 * @param {Message} message
 * @param {object} place
 * @param {boolean} place.lead whether it starts a group
 * @param {boolean} place.fresh whether it is the first new one
 * @param {boolean} place.keyed whether the user has a key
 * @param {number} place.now by the store's clock
 */
export function messageRow(ui, message, { lead, fresh, keyed, now }) {
  const { t, language } = ui
  const { mine, userId, timestamp } = message
  const name = nameOf(userId, t)
  const row = h('li', {
    class: `row${mine ? ' mine' : ''}${lead ? ' lead' : ''}${fresh ? ' fresh' : ''}`, part: mine ? 'message message-mine' : 'message', tabindex: -1,
    'data-seq': message.seq, 'data-user': userId, 'data-retracted': message.retracted || null,
  })
  if (fresh) row.append(h('div', { class: 'marker' }, h('span', null, t('list.new'))))
  if (lead) {
    const time = h('time', { datetime: new Date(timestamp).toISOString(), title: exactTime(timestamp, language) }, relativeTime(timestamp, now, language, t))
    if (!mine) {
      row.append(avatar(userId, ui))
      row.style.setProperty('--hue', String(hueOf(userId)))
    }
    row.append(h('div', { class: 'head' }, mine ? h('span', { class: 'spoken' }, t('app.you')) : h('bdi', { class: 'who' }, name), time))
  }
  row.append(h('div', { class: 'say' }, bubble(ui, message, keyed)))
  return row
}

/**
 * @param {Ui} ui
 * @param {Message} message
 * @param {boolean} keyed
 */
function bubble({ t, language }, message, keyed) {
  const title = exactTime(message.timestamp, language)
  if (message.retracted) return h('div', { class: 'bubble quiet', part: 'bubble', title }, t('list.retracted'))
  if (message.sealed === 'undecipherable') {
    return h('div', { class: 'bubble quiet', part: 'bubble', title, 'data-sealed': 'undecipherable' }, t(keyed ? 'list.undecipherable' : 'list.sealed'))
  }
  const text = h('div', { class: `bubble${isOnlyEmoji(message.text) ? ' emoji' : ''}`, part: 'bubble', dir: 'auto', title }, ...linkify(message.text))
  if (message.sealed === 'plain') {
    text.dataset.sealed = 'plain'
    text.append(h('div', { class: 'warn' }, icon('info'), t('list.plain')))
  }
  return text
}

/**
 * Makes the row of a message that the room does not have yet.
 *
 * @param {Ui} ui
 * @param {Pending} pending
 * @param {object} acts
 * @param {() => void} acts.retry
 * @param {() => void} acts.discard
 */
export function pendingRow(ui, pending, { retry, discard }) {
  const { t, language } = ui
  const failed = pending.status === 'failed'
  const fate = h('div', { class: 'fate' })
  if (failed) {
    fate.append(h('span', null, `${t('list.failed')}${pending.code ? `: ${errorText(pending.code, t, language)}` : ''}`),
      h('button', { type: 'button', class: 'ghost', 'data-action': 'retry', on: { click: retry } }, t('list.retry')),
      h('button', { type: 'button', class: 'ghost', 'data-action': 'discard', on: { click: discard } }, t('list.discard')))
  } else {
    fate.append(h('span', { class: 'late' }, t('list.sending')))
  }
  const lines = h('div', { class: `bubble${isOnlyEmoji(pending.text) ? ' emoji' : ''}`, part: 'bubble', dir: 'auto' }, ...linkify(pending.text))
  return h('li', {
    class: `row mine pending${failed ? ' failed' : ''}`, part: 'message message-mine message-pending', 'data-pending': pending.id, 'data-status': pending.status,
  }, h('div', { class: 'say' }, lines), fate)
}
