// Controls that several views use, and the types that all views share.

import { h, unique } from './dom.js'
import { hueOf, initialOf, nameOf } from './format.js'
import { icon } from './icons.js'

/**
 * What the element provides to its views.
 *
 * @typedef {object} Ui
 * @property {import('./i18n.js').Translate} t
 * @property {string} language
 * @property {import('../client/client.js').ChatClient} client
 * @property {(text: string) => void} announce passes a text to screen readers
 * @property {() => void} clearAnnouncement removes the last such text
 * @property {1 | 2} level of a view's heading
 * @property {(dialog: HTMLDialogElement) => void} place adds a dialog to the element
 */

/**
 * The content of the element. `dispose` removes its listeners elsewhere.
 *
 * @typedef {object} View
 * @property {HTMLElement} node
 * @property {() => void} [focus] focuses the first control
 * @property {() => void} [dispose]
 */

/**
 * The heading of a view.
 *
 * @param {Ui} ui
 * @param {import('./dom.js').Props} props
 * @param {...import('./dom.js').Child} children
 */
export function heading(ui, props, ...children) {
  return h(ui.level === 1 ? 'h1' : 'h2', props, ...children)
}

/**
 * The heading of a part of a view.
 *
 * @param {Ui} ui
 * @param {string} text
 */
export function subheading(ui, text) { return h(ui.level === 1 ? 'h2' : 'h3', { class: 'part' }, text) }

/**
 * A button that shows an icon only.
 *
 * @param {string} label
 * @param {string} name of the icon
 * @param {(event: Event) => void} click
 * @param {import('./dom.js').Props} [props]
 */
export function iconButton(label, name, click, props = {}) {
  return h('button', { type: 'button', class: 'tool', 'aria-label': label, title: label, ...props, on: { click } }, icon(name))
}

/**
 * A labelled field.
 *
 * @param {string} label
 * @param {HTMLInputElement} input with an id
 * @param {...import('./dom.js').Child} rest
 */
export function field(label, input, ...rest) {
  return h('div', { class: 'field' }, h('label', { for: input.id }, label), input, ...rest)
}

/**
 * A switch with a label and, below it, a hint.
 *
 * @param {string} label
 * @param {string | null} hint
 * @param {HTMLInputElement} input of type checkbox
 */
export function toggle(label, hint, input) {
  input.setAttribute('role', 'switch')
  return h('label', { class: 'switch' }, h('span', null, label), hint && h('span', { class: 'hint' }, hint), input)
}

/**
 * The avatar of a user: an initial on a colour, both derived from the name.
 *
 * @param {string} userId
 * @param {Ui} ui
 */
export function avatar(userId, ui) {
  const sign = h('span', { class: 'avatar', 'aria-hidden': 'true' }, initialOf(nameOf(userId, ui.t)))
  sign.style.setProperty('--hue', String(hueOf(userId)))
  return sign
}

/**
 * A text field.
 *
 * @param {string} name
 * @param {import('./dom.js').Props} props
 */
export function textInput(name, props) {
  return h('input', { type: 'text', id: unique(name), name, autocapitalize: name === 'password' ? 'off' : 'sentences', ...props })
}
