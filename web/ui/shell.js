import { iconButton } from './controls.js'
import { h } from './dom.js'
import { mark } from './icons.js'
import { followViewport } from './viewport.js'

/** Screens that the panel fills. */
const NARROW = '(max-width: 30rem), (max-height: 32rem)'

/** How long an announcement for screen readers stays, in milliseconds. */
const ANNOUNCEMENT_TIME = 5000

/** The container of the view: a box in the page, or a bubble that opens a panel. */
export class Shell {
  #root
  #bubble
  #box = h('div', { class: 'frame', part: 'frame' })
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #announcementTimer
  #liveRegion = h('div', { class: 'spoken', role: 'status', 'aria-live': 'polite' })
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
      this.#panel = h('dialog', { class: 'panel', part: 'panel', 'aria-label': t('app.title') }, this.#box, this.#liveRegion,
        iconButton(t('app.close'), 'close', () => this.close(), { class: 'tool close', 'data-action': 'close' }))
      this.#panel.addEventListener('close', () => this.#closed())
      this.#panel.addEventListener('keydown', event => {
        // Browsers close only modal dialogs.
        if (event.key === 'Escape' && !event.defaultPrevented && event.target instanceof Element && event.target.closest('dialog') === this.#panel) this.close()
      })
      root.replaceChildren(this.#launcher, this.#panel)
    } else {
      root.replaceChildren(this.#box, this.#liveRegion)
    }
    this.#unfollow = mode === 'inline' ? () => {} : followViewport(host)
  }

  /** Whether the view is visible: always, except in a closed bubble. */
  get isOpen() { return this.#panel === null || this.#panel.open }

  /** Whether the view has a visible focus, as with a keyboard. */
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
   * Adds a dialog.
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
   * Passes a text to screen readers.
   *
   * @param {string} text
   */
  announce(text) {
    // A repeated text is read again only in a new node.
    this.#liveRegion.replaceChildren(h('p', null, text))
    clearTimeout(this.#announcementTimer)
    // Announced messages must not stay in the document: they may be retracted.
    this.#announcementTimer = setTimeout(() => this.clearAnnouncement(), ANNOUNCEMENT_TIME)
  }

  /** Removes the last announcement. */
  clearAnnouncement() { this.#liveRegion.replaceChildren() }

  dispose() {
    clearTimeout(this.#announcementTimer)
    this.#unfollow()
    this.#root.replaceChildren()
  }
}
