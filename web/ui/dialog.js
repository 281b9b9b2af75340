// Dialogs are the browser's own: they contain the focus, close with Escape, and
// restore the focus.

import { iconButton, toggle } from './controls.js'
import { h, unique } from './dom.js'
import { errorText } from './format.js'

/** @typedef {import('./controls.js').Ui} Ui */

/**
 * Opens a modal dialog.
 *
 * @param {Ui} ui
 * @param {string} title
 * @param {...import('./dom.js').Child} body
 * @returns {HTMLDialogElement} dispatches `close` and then leaves the document
 */
export function showDialog(ui, title, ...body) {
  const id = unique('dialog')
  const dialog = h('dialog', { part: 'dialog', 'aria-labelledby': id },
    h('div', { class: 'top' }, h('h2', { id }, title), iconButton(ui.t('app.close'), 'close', () => dialog.close())),
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
 * Asks for confirmation of an action that cannot be undone, and runs it. The dialog
 * shows its error.
 *
 * @param {Ui} ui
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.text
 * @param {string} question.yes
 * @param {string} [question.also] the label of an additional choice
 * @param {(also: boolean) => Promise<unknown>} question.act
 */
export function confirmAction(ui, { title, text, yes, also, act }) {
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
  const dialog = showDialog(ui, title, h('p', null, text), also && toggle(also, null, more), alert,
    h('div', { class: 'row-of-buttons' }, cancel, confirm))
  cancel.focus()
  return dialog
}
