import { correction, generate } from '../vendor/lean-qr.js'
import { showDialog } from './dialog.js'
import { fill, h, svg, unique } from './dom.js'
import { isolated } from './i18n.js'
import { icon } from './icons.js'

/** @typedef {import('./controls.js').Ui} Ui */

/**
 * @typedef {object} Invitation
 * @property {string} link
 * @property {string} roomName
 * @property {boolean} sealed whether the link holds a key
 */

/**
 * Makes the link with buttons to copy, share or show it.
 *
 * @param {Ui} ui
 * @param {Invitation} invitation
 * @param {boolean} withCode shows the QR code instead of a button for it
 */
export function shareBox(ui, invitation, withCode) {
  const { t } = ui
  const { link, roomName, sealed } = invitation
  const input = h('input', { type: 'text', readonly: true, value: link, id: unique('link'), 'aria-label': t('share.link'), 'data-link': true })
  input.addEventListener('focus', () => input.select())
  const said = h('span', null, t('share.copy'))
  const sign = h('span', null, icon('copy'))
  const copy = h('button', { type: 'button', class: 'primary', 'data-action': 'copy', on: { click: put } }, sign, said)

  async function put() {
    const done = await copied(link, input)
    fill(said, t(done ? 'share.copied' : 'share.failed'))
    fill(sign, icon(done ? 'check' : 'copy'))
    ui.announce(said.textContent ?? '')
    setTimeout(() => {
      fill(said, t('share.copy'))
      fill(sign, icon('copy'))
    }, 2500)
  }

  const canShare = typeof navigator.share === 'function'
  return h('div', { class: 'share' },
    h('p', { class: 'hint' }, t(sealed ? 'share.hintSealed' : 'share.hint')),
    h('div', { class: 'link' }, input),
    h('div', { class: 'buttons' }, copy,
      canShare && h('button', { type: 'button', on: { click: () => navigator.share({ title: isolated(roomName), url: link }).catch(() => {}) } }, icon('share'), t('share.system')),
      !withCode && h('button', { type: 'button', 'data-action': 'qr', on: { click: () => shareDialog(ui, invitation) } }, icon('qr'), t('share.qr'))),
    withCode && codeImage(link, t('share.qrAlt')))
}

/**
 * @param {Ui} ui
 * @param {Invitation} invitation
 */
export function shareDialog(ui, invitation) {
  return showDialog(ui, ui.t('share.title'), shareBox(ui, invitation, true))
}

/**
 * @param {string} link
 * @param {HTMLInputElement} input
 */
async function copied(link, input) {
  try {
    await navigator.clipboard.writeText(link)
    return true
  } catch {
    // The permission is missing, or the page is not from HTTPS.
    input.select()
    return document.execCommand('copy')
  }
}

/**
 * A QR code, always dark on white: some cameras cannot read the reverse.
 *
 * @param {string} text
 * @param {string} label
 */
function codeImage(text, label) {
  const code = generate(text, { minCorrectionLevel: correction.M })
  const quiet = 4
  const size = code.size + 2 * quiet
  let d = ''
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) {
      if (!code.get(x, y)) continue
      const from = x
      while (code.get(x + 1, y)) x += 1
      d += `M${from + quiet} ${y + quiet}h${x - from + 1}v1h${from - x - 1}z`
    }
  }
  return h('div', { class: 'qr', role: 'img', 'aria-label': label, 'data-qr': true },
    svg('svg', { viewBox: `0 0 ${size} ${size}`, 'aria-hidden': 'true' }, svg('path', { d, fill: '#000' })))
}
