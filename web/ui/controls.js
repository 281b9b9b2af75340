// What every view is given, and what all of them use.

import { h } from './dom.js'
import { hueOf, initialOf, nameOf } from './format.js'
import { icon } from './icons.js'

/**
 * What a view is given by the element that it is in.
 *
 * @typedef {object} Ui
 * @property {import('./i18n.js').Translate} t
 * @property {string} language
 * @property {import('../client/client.js').ChatClient} client
 * @property {(text: string) => void} announce has a screen reader say something
 * @property {() => void} hush takes away what it was to say
 * @property {(name: string, detail?: object) => void} emit dispatches `ephemeral-chat:<name>`
 * @property {1 | 2} level of the heading of a view
 * @property {(dialog: HTMLDialogElement) => void} place puts a dialog where it belongs
 */

/**
 * What is shown at a time. It has listeners elsewhere, which `dispose` ends.
 *
 * @typedef {object} View
 * @property {HTMLElement} node
 * @property {() => void} [focus] puts the focus where one begins
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
export function tool(label, name, click, props = {}) {
  return h('button', { type: 'button', class: 'tool', 'aria-label': label, title: label, ...props, on: { click } }, icon(name))
}

/**
 * A labelled field. `invalid` marks it and names the element that says why.
 *
 * @param {string} label
 * @param {HTMLInputElement} input with an id
 * @param {...import('./dom.js').Child} rest
 */
export function field(label, input, ...rest) {
  return h('div', { class: 'field' }, h('label', { for: input.id }, label), input, ...rest)
}

/**
 * A switch with a label and, below it, what it means.
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
 * The sign of a person: a first letter on a colour that stays with the name.
 *
 * @param {string} userId
 * @param {Ui} ui
 */
export function avatar(userId, ui) {
  const sign = h('span', { class: 'avatar', 'aria-hidden': 'true' }, initialOf(nameOf(userId, ui.t)))
  sign.style.setProperty('--hue', String(hueOf(userId)))
  return sign
}
