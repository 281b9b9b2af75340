// Dialogs: the browser's own, which keep the focus inside, close with Escape and
// give the focus back.

import { h, unique } from './dom.js'
import { errorText } from './format.js'
import { toggle, tool } from './controls.js'

/** @typedef {import('./controls.js').Ui} Ui */

/**
 * Shows something in a dialog until it is closed.
 *
 * @param {Ui} ui
 * @param {string} title
 * @param {...import('./dom.js').Child} body
 * @returns {HTMLDialogElement} dispatches `close`, and is gone after that
 */
export function show(ui, title, ...body) {
  const id = unique('dialog')
  const dialog = h('dialog', { part: 'dialog', 'aria-labelledby': id },
    h('div', { class: 'top' }, h('h2', { id }, title), tool(ui.t('app.close'), 'close', () => dialog.close())),
    h('div', { class: 'body' }, ...body))
  dialog.addEventListener('click', event => {
    if (event.target !== dialog) return
    const { left, right, top, bottom } = dialog.getBoundingClientRect()
    const inside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom
    if (!inside) dialog.close()
  })
  dialog.addEventListener('close', () => dialog.remove())
  ui.place(dialog)
  dialog.showModal()
  return dialog
}

/**
 * Asks before something is done that cannot be undone, and does it. What goes
 * wrong is said in the dialog.
 *
 * @param {Ui} ui
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.text
 * @param {string} question.yes
 * @param {string} [question.also] offers to do something more
 * @param {(also: boolean) => Promise<unknown>} question.act
 */
export function ask(ui, { title, text, yes, also, act }) {
  const alert = h('p', { class: 'alert', role: 'alert' })
  const more = h('input', { type: 'checkbox', checked: true })
  const confirm = h('button', { type: 'button', class: 'danger', 'data-action': 'confirm' }, yes)
  const cancel = h('button', { type: 'button', autofocus: true, on: { click: () => dialog.close() } }, ui.t('app.cancel'))
  confirm.addEventListener('click', async () => {
    confirm.disabled = true
    alert.textContent = ''
    try {
      await act(more.checked)
      dialog.close()
    } catch (error) {
      alert.textContent = errorText(error, ui.t, ui.language)
      confirm.disabled = false
    }
  })
  const dialog = show(ui, title, h('p', null, text), also && toggle(also, null, more), alert,
    h('div', { class: 'row-of-buttons' }, cancel, confirm))
  cancel.focus()
  return dialog
}
