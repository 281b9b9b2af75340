// The list of messages: what the room has, and below it what it does not have yet.

import { fill, h } from './dom.js'
import { whenSaid } from './format.js'
import { leads, messageRow, pendingRow } from './message-row.js'
import { RowWindow } from './virtual-list.js'

/**
 * @typedef {import('../client/client.js').Message} Message
 * @typedef {import('./controls.js').Ui} Ui
 */

/** How near to an end, in pixels, more is added. */
const NEAR = 900
/** Within so many pixels of the end one sees the end. */
const AT_END = 40

export class MessageList {
  /** Holds what stands above the first message. */
  lead = h('div', { class: 'before' })
  #ui
  #room
  #handlers
  #window
  #stuck = true // to the end, since it is seen
  #marked = 0 // the seq of the message before which "New" stands; 0 for none
  #scheduled = false
  #loading = false
  /** @type {Set<number>} */
  #stale = new Set()
  #rows
  #pending = h('ol', { class: 'unsent' })
  #older = h('div', { class: 'older' })
  #observer

  /**
   * @param {Ui} ui
   * @param {import('../client/client.js').Room} room
   * @param {object} handlers
   * @param {() => void} handlers.moved is called when other messages may be seen
   * @param {(row: HTMLElement, message: Message) => void} handlers.active is called
   *   with the row that is pointed at or has the focus
   * @param {() => void} handlers.inactive is called when no row is any more
   * @param {(message: Message) => void} handlers.retract is called when that is asked for by key
   */
  constructor(ui, room, handlers) {
    this.#ui = ui
    this.#room = room
    this.#handlers = handlers
    const { t } = ui
    this.#rows = h('ol', { class: 'rows', 'aria-label': t('list.label') })
    this.node = h('div', { class: 'scroll', part: 'messages', role: 'log', 'aria-live': 'off', 'aria-label': t('list.label'), 'aria-description': t('list.hint'), tabindex: 0 },
      h('div', { class: 'column' }, this.lead, this.#older, this.#rows, this.#pending))
    this.#window = new RowWindow(this.node, this.#rows, () => room.messages, (messages, i) => this.#render(messages, i))
    this.node.addEventListener('scroll', () => this.#scrolled(), { passive: true })
    this.#rows.addEventListener('keydown', event => this.#keyed(event))
    for (const type of ['focusin', 'pointerover', 'click']) this.#rows.addEventListener(type, event => this.#activate(event))
    for (const type of ['focusout', 'pointerleave']) {
      this.#rows.addEventListener(type, () => { if (!this.#rows.matches(':hover, :focus-within')) handlers.inactive() })
    }
    // The keyboard of a phone comes and goes: the end stays in sight.
    this.#observer = new ResizeObserver(() => { if (this.#stuck) this.#toBottom() })
    this.#observer.observe(this.node)
    this.reset()
  }

  dispose() { this.#observer.disconnect() }

  /** Whether the newest message is seen. */
  get atEnd() { return this.#stuck }

  /** Shows the newest messages, whatever was shown. */
  reset() {
    this.#window.reset()
    this.#renderPending()
    this.#rove()
    this.#stuck = true
    this.#toBottom()
  }

  /** Goes to the newest message. */
  toEnd() {
    if (this.#window.complete) this.#toBottom()
    else this.reset()
    this.#stuck = true
    this.#handlers.moved()
  }

  /** Notes that something has come or changed, to be shown with the next frame. */
  update() {
    if (this.#scheduled) return
    this.#scheduled = true
    // Frames are not made for a page that is hidden.
    if (document.hidden) setTimeout(() => this.#flush(), 50)
    else requestAnimationFrame(() => this.#flush())
  }

  /**
   * Notes that a message is other than it was.
   *
   * @param {number} seq
   */
  changed(seq) {
    this.#stale.add(seq)
    this.update()
  }

  /**
   * Puts "New" before a message.
   *
   * @param {number} seq 0 takes it away
   */
  mark(seq) {
    const before = this.#marked
    this.#marked = seq
    this.#window.renew(before)
    this.#window.renew(seq)
  }

  /** Writes anew how long ago things were said. */
  age() {
    const now = this.#room.clock()
    for (const time of this.#rows.querySelectorAll('time')) {
      const text = whenSaid(Date.parse(time.dateTime), now, this.#ui.language, this.#ui.t)
      if (time.textContent !== text) time.textContent = text
    }
  }

  /**
   * @param {readonly Message[]} messages
   * @param {number} i
   */
  #render(messages, i) {
    const message = messages[i]
    const fresh = message.seq === this.#marked
    return messageRow(this.#ui, message, {
      lead: fresh || leads(messages[i - 1], message), fresh, keyed: this.#room.key !== null, now: this.#room.clock(),
    })
  }

  #flush() {
    this.#scheduled = false
    this.#window.update(this.#stuck)
    for (const seq of this.#stale) this.#window.renew(seq)
    this.#stale.clear()
    this.#renderPending()
    this.#rove()
    if (this.#stuck) this.#toBottom()
    else this.#extend()
    this.#handlers.moved()
  }

  #renderPending() {
    const rows = /** @type {NodeListOf<HTMLElement>} */ (this.#pending.querySelectorAll('[data-pending]'))
    const shown = [...rows].map(row => `${row.dataset.pending} ${row.dataset.status}`)
    const wanted = this.#room.pending.map(({ id, status }) => `${id} ${status}`)
    if (shown.join() === wanted.join()) return
    fill(this.#pending, ...this.#room.pending.map((item, i) => {
      const kept = shown.indexOf(wanted[i])
      if (kept >= 0) return rows[kept]
      return pendingRow(this.#ui, item, { retry: () => this.#room.retry(item.id), discard: () => this.#room.discard(item.id) })
    }))
  }

  #toBottom() { this.node.scrollTop = this.node.scrollHeight }

  #scrolled() {
    // What has come meanwhile and has no row yet does not unstick it.
    this.#stuck = this.#below() < AT_END && (this.#stuck || this.#window.complete)
    this.#extend()
    this.#handlers.moved()
  }

  #below() { return this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight }

  /** Adds rows at whichever end is near. */
  #extend() {
    if (this.node.scrollTop < NEAR && !this.#window.earlier()) this.#load()
    if (this.#below() < NEAR) this.#window.later()
    this.#rove()
  }

  /** Asks the server for older messages; the room then tells that they are there. */
  async #load() {
    if (this.#loading || !this.#room.more || this.#room.state !== 'open' || this.#window.first === 0) return
    this.#loading = true
    this.#older.textContent = this.#ui.t('list.older')
    try {
      await this.#room.older(200)
    } catch {
      // The next scroll asks again.
    }
    this.#loading = false
    this.#older.textContent = ''
    if (this.node.scrollTop < NEAR) this.#window.earlier()
  }

  /** One row is reached with Tab, the last unless one reads others; arrows go to
   * the others. */
  #rove() {
    const stop = /** @type {HTMLElement | null} */ (this.#rows.querySelector('[tabindex="0"]'))
    const last = /** @type {HTMLElement | null} */ (this.#rows.lastElementChild)
    if (stop === last || (stop !== null && (!this.#stuck || this.#rows.matches(':focus-within')))) return
    if (stop !== null) stop.tabIndex = -1
    if (last !== null) last.tabIndex = 0
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    const row = /** @type {HTMLElement} */ (event.target)
    if (row.parentElement !== this.#rows) return
    const to = {
      ArrowUp: row.previousElementSibling, ArrowDown: row.nextElementSibling,
      Home: this.#rows.firstElementChild, End: this.#rows.lastElementChild,
    }[event.key]
    if (event.key === 'Delete') {
      const message = this.#window.messageOf(row)
      if (message !== null) this.#handlers.retract(message)
    } else if (to instanceof HTMLElement) {
      row.tabIndex = -1
      to.tabIndex = 0
      to.focus()
      to.scrollIntoView({ block: 'nearest' })
    } else {
      return
    }
    event.preventDefault()
  }

  /** @param {Event} event */
  #activate(event) {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('.row'))
    const message = this.#window.messageOf(row)
    if (row !== null && message !== null) this.#handlers.active(row, message)
  }
}
