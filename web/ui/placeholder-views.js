// Views in which nothing is to be done: while something loads, when it cannot be
// loaded, and when a room is gone.

import { h } from './dom.js'
import { errorText } from './format.js'
import { mark } from './icons.js'
import { heading } from './controls.js'

/** @typedef {import('./controls.js').Ui} Ui */
/** @typedef {import('./controls.js').View} View */

/**
 * @param {Ui} ui
 * @returns {View}
 */
export function loadingView(ui) {
  return {
    node: h('div', { class: 'view still loading', 'data-view': 'loading', 'aria-busy': 'true' },
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
    node: h('div', { class: 'view still trouble', 'data-view': 'trouble', role: 'alert' }, mark(), title,
      h('div', { class: 'row-of-buttons' }, h('button', { type: 'button', class: 'primary', on: { click: again } }, ui.t('app.tryAgain')))),
    focus: () => title.focus(),
  }
}

/**
 * @param {Ui} ui
 * @param {object} options
 * @param {import('../client/client.js').EndReason} options.reason
 * @param {(() => void) | null} options.begin creates a room; null where that is not offered
 * @param {(() => void) | null} options.again joins the room that there is under this id
 * @returns {View}
 */
export function goneView(ui, { reason, begin, again }) {
  const own = ['removed', 'left', 'invalid'].includes(reason)
  const title = heading(ui, { tabindex: -1 }, ui.t(own ? `gone.${reason}Title` : 'gone.title'))
  return {
    node: h('div', { class: 'view still gone', 'data-view': 'gone', 'data-reason': reason }, mark(), title,
      h('p', null, ui.t(`gone.${reason}`)),
      h('div', { class: 'row-of-buttons' },
        again && h('button', { type: 'button', class: 'primary', on: { click: again } }, ui.t('gone.again')),
        begin && h('button', { type: 'button', class: again ? '' : 'primary', on: { click: begin } }, ui.t('gone.new')))),
    focus: () => title.focus(),
  }
}
