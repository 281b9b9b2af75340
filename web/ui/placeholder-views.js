// The views without a room: while it loads, when it cannot be loaded, and after its
// end.

import { heading } from './controls.js'
import { h } from './dom.js'
import { errorText } from './format.js'
import { mark } from './icons.js'

/** @typedef {import('./controls.js').Ui} Ui */
/** @typedef {import('./controls.js').View} View */

/**
 * @param {Ui} ui
 * @returns {View}
 */
export function loadingView(ui) {
  return {
    node: h('div', { class: 'view placeholder loading', 'data-view': 'loading', 'aria-busy': 'true' },
      mark(), h('p', { class: 'spoken' }, ui.t('app.loading'))),
  }
}

/**
 * @param {Ui} ui
 * @param {unknown} error
 * @param {() => void} again
 * @returns {View}
 */
export function troubleView(ui, error, again) {
  const title = heading(ui, { tabindex: -1 }, errorText(error, ui.t, ui.language))
  return {
    node: h('div', { class: 'view placeholder trouble', 'data-view': 'trouble', role: 'alert' }, mark(), title,
      h('div', { class: 'row-of-buttons' }, h('button', { type: 'button', class: 'primary', on: { click: again } }, ui.t('app.tryAgain')))),
    focus: () => title.focus(),
  }
}

/**
 * @param {Ui} ui
 * @param {object} options
 * @param {import('../client/client.js').EndReason} options.reason
 * @param {(() => void) | null} options.begin creates a room, null to offer none
 * @param {(() => void) | null} options.again joins the next room of this id, null without one
 * @returns {View}
 */
export function goneView(ui, { reason, begin, again }) {
  const own = ['removed', 'left', 'invalid'].includes(reason)
  const title = heading(ui, { tabindex: -1 }, ui.t(own ? `gone.${reason}Title` : 'gone.title'))
  return {
    node: h('div', { class: 'view placeholder gone', 'data-view': 'gone', 'data-reason': reason }, mark(), title,
      h('p', null, ui.t(`gone.${reason}`)),
      h('div', { class: 'row-of-buttons' },
        again && h('button', { type: 'button', class: 'primary', on: { click: again } }, ui.t('gone.again')),
        begin && h('button', { type: 'button', class: again ? '' : 'primary', on: { click: begin } }, ui.t('gone.new')))),
    focus: () => title.focus(),
  }
}
