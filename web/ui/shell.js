// What holds the view: a box in the page, or a bubble that opens a panel.

import { h } from './dom.js'
import { mark } from './icons.js'
import { tool } from './controls.js'
import { followViewport } from './viewport.js'

/** Screens on which the panel takes all of it. */
const NARROW = '(max-width: 30rem), (max-height: 32rem)'

/** How long what a screen reader is to say stays there, in milliseconds. */
const SPOKEN = 5000

export class Frame {
  #root
  #bubble
  #box = h('div', { class: 'frame', part: 'frame' })
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence
  #voice = h('div', { class: 'spoken', role: 'status', 'aria-live': 'polite' })
  /** @type {HTMLDialogElement | null} */
  #panel = null
  /** @type {HTMLButtonElement | null} */
  #launcher = null
  #badge = h('span', { class: 'dot', part: 'badge', hidden: true })
  #handlers
  #t
  #unfollow

  /**
   * @param {ShadowRoot} root
   * @param {string} mode `page`, `inline` or `bubble`
   * @param {import('./i18n.js').Translate} t
   * @param {{ opened: () => void, closed: () => void }} handlers
   */
  constructor(root, mode, t, handlers) {
    this.#root = root
    this.#t = t
    this.#handlers = handlers
    this.#bubble = mode === 'bubble'
    const host = /** @type {HTMLElement} */ (root.host)
    if (this.#bubble) {
      this.#launcher = h('button', {
        type: 'button', class: 'launcher', part: 'launcher', 'aria-label': t('app.open'), 'aria-expanded': 'false', 'aria-haspopup': 'dialog', on: { click: () => (this.isOpen ? this.close() : this.open()) },
      }, mark(), this.#badge)
      this.#panel = h('dialog', { class: 'panel', part: 'panel', 'aria-label': t('app.title') }, this.#box, this.#voice,
        tool(t('app.close'), 'close', () => this.close(), { class: 'tool close', 'data-action': 'close' }))
      this.#panel.addEventListener('close', () => this.#closed())
      this.#panel.addEventListener('keydown', event => {
        // A dialog that is not modal does not close by itself.
        if (event.key === 'Escape' && !event.defaultPrevented && event.target instanceof Element && event.target.closest('dialog') === this.#panel) this.close()
      })
      root.replaceChildren(this.#launcher, this.#panel)
    } else {
      root.replaceChildren(this.#box, this.#voice)
    }
    this.#unfollow = mode === 'inline' ? () => {} : followViewport(host)
  }

  /** Whether it is open, as a frame in the page always is. */
  get isOpen() { return this.#panel === null || this.#panel.open }

  /** Whether the focus is in it, as of somebody who uses the keyboard. */
  get focused() {
    const { activeElement } = this.#root
    return activeElement !== null && this.#box.contains(activeElement) && activeElement.matches(':focus-visible')
  }

  open() {
    if (this.#panel === null || this.#panel.open) return
    if (matchMedia(NARROW).matches) this.#panel.showModal()
    else this.#panel.show()
    this.#launcher?.setAttribute('aria-expanded', 'true')
    this.#handlers.opened()
  }

  close() { this.#panel?.close() }

  #closed() {
    this.#launcher?.setAttribute('aria-expanded', 'false')
    this.#launcher?.focus()
    this.#handlers.closed()
  }

  /** @param {HTMLElement} node */
  show(node) { this.#box.replaceChildren(node) }

  /**
   * Puts a dialog into it.
   *
   * @param {HTMLDialogElement} dialog
   */
  place(dialog) {
    if (this.#panel === null) this.#root.append(dialog)
    else this.#panel.append(dialog)
  }

  closeDialogs() {
    for (const dialog of this.#root.querySelectorAll('dialog:not(.panel)')) /** @type {HTMLDialogElement} */ (dialog).close()
  }

  /**
   * @param {number} count
   * @param {string} label
   */
  badge(count, label) {
    this.#badge.hidden = count === 0
    this.#badge.textContent = count > 99 ? '99+' : String(count)
    this.#launcher?.setAttribute('aria-label', count === 0 ? this.#t('app.open') : `${this.#t('app.open')}, ${label}`)
  }

  /**
   * Has a screen reader say something.
   *
   * @param {string} text
   */
  announce(text) {
    // The same words twice are said twice only if they are other nodes.
    this.#voice.replaceChildren(h('p', null, text))
    clearTimeout(this.#silence)
    // What was said is not to be found later: it may be taken back.
    this.#silence = setTimeout(() => this.hush(), SPOKEN)
  }

  /** Takes away what a screen reader was to say. */
  hush() { this.#voice.replaceChildren() }

  dispose() {
    clearTimeout(this.#silence)
    this.#unfollow()
    this.#root.replaceChildren()
  }
}
