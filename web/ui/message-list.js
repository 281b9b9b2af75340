import { fill, h } from './dom.js'
import { relativeTime } from './format.js'
import { messageRow, pendingRow, startsGroup } from './message-row.js'
import { VirtualList } from './virtual-list.js'

/**
 * @typedef {import('../client/client.js').Message} Message
 * @typedef {import('./controls.js').Ui} Ui
 */

/** The distance from an end at which more rows are added, in pixels. */
const NEAR = 900
/** The distance from the end that counts as the end, in pixels. */
const AT_END = 40

/** The scrolling list of a room's messages, with the pending ones at its end. */
export class MessageList {
  /** An element above the first message. */
  lead = h('div', { class: 'before' })
  #ui
  #room
  #handlers
  #list
  #stuck = true // to the end: new messages scroll the list
  #marked = 0 // the seq of the message with the mark "New", 0 without one
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
   * @param {() => void} handlers.moved is called when other messages may be visible
   * @param {(row: HTMLElement, message: Message) => void} handlers.active is called
   *   with the row under the pointer or with the focus
   * @param {() => void} handlers.inactive is called when neither is on a row
   * @param {(message: Message) => void} handlers.retract is called after the key Delete
   */
  constructor(ui, room, handlers) {
    this.#ui = ui
    this.#room = room
    this.#handlers = handlers
    const { t } = ui
    this.#rows = h('ol', { class: 'rows', 'aria-label': t('list.label') })
    this.node = h('div', { class: 'scroll', part: 'messages', role: 'log', 'aria-live': 'off', 'aria-label': t('list.label'), 'aria-description': t('list.hint'), tabindex: 0 },
      h('div', { class: 'column' }, this.lead, this.#older, this.#rows, this.#pending))
    this.#list = new VirtualList(this.node, this.#rows, () => room.messages, (messages, i) => this.#render(messages, i))
    this.node.addEventListener('scroll', () => this.#scrolled(), { passive: true })
    this.#rows.addEventListener('keydown', event => this.#keyed(event))
    for (const type of ['focusin', 'pointerover', 'click']) this.#rows.addEventListener(type, event => this.#activate(event))
    for (const type of ['focusout', 'pointerleave']) {
      this.#rows.addEventListener(type, () => { if (!this.#rows.matches(':hover, :focus-within')) handlers.inactive() })
    }
    // The keyboard of a phone changes the height: the end stays visible.
    this.#observer = new ResizeObserver(() => { if (this.#stuck) this.#toBottom() })
    this.#observer.observe(this.node)
    this.reset()
  }

  dispose() { this.#observer.disconnect() }

  /** Whether the newest message is visible. */
  get atEnd() { return this.#stuck }

  /** Renders the newest messages again. */
  reset() {
    this.#list.reset()
    this.#renderPending()
    this.#rove()
    this.#stuck = true
    this.#toBottom()
  }

  /** Scrolls to the newest message. */
  toEnd() {
    if (this.#list.complete) this.#toBottom()
    else this.reset()
    this.#stuck = true
    this.#handlers.moved()
  }

  /** Schedules an update for the next animation frame. */
  update() {
    if (this.#scheduled) return
    this.#scheduled = true
    // A hidden page gets no animation frames.
    if (document.hidden) setTimeout(() => this.#flush(), 50)
    else requestAnimationFrame(() => this.#flush())
  }

  /**
   * Schedules the rendering of a changed message.
   *
   * @param {number} seq
   */
  changed(seq) {
    this.#stale.add(seq)
    this.update()
  }

  /**
   * Marks a message as the first new one.
   *
   * @param {number} seq 0 removes the mark
   */
  mark(seq) {
    const before = this.#marked
    this.#marked = seq
    this.#list.renew(before)
    this.#list.renew(seq)
  }

  /** Updates the relative times. */
  age() {
    const now = this.#room.clock()
    for (const time of this.#rows.querySelectorAll('time')) {
      const text = relativeTime(Date.parse(time.dateTime), now, this.#ui.language, this.#ui.t)
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
      lead: fresh || startsGroup(messages[i - 1], message), fresh, keyed: this.#room.key !== null, now: this.#room.clock(),
    })
  }

  #flush() {
    this.#scheduled = false
    this.#list.update(this.#stuck)
    for (const seq of this.#stale) this.#list.renew(seq)
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
    // Messages without a row yet don't unstick the list.
    this.#stuck = this.#below() < AT_END && (this.#stuck || this.#list.complete)
    this.#extend()
    this.#handlers.moved()
  }

  #below() { return this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight }

  /** Adds rows at an end that is near. */
  #extend() {
    if (this.node.scrollTop < NEAR && !this.#list.earlier()) this.#load()
    if (this.#below() < NEAR) this.#list.later()
    this.#rove()
  }

  /** Loads older messages. The room then emits `messages`. */
  async #load() {
    if (this.#loading || !this.#room.more || this.#room.state !== 'open' || this.#list.first === 0) return
    this.#loading = true
    this.#older.textContent = this.#ui.t('list.older')
    try {
      await this.#room.older(200)
    } catch {
      // The next scroll tries again.
    }
    this.#loading = false
    this.#older.textContent = ''
    if (this.node.scrollTop < NEAR) this.#list.earlier()
  }

  /** Makes one row reachable with Tab (a roving tabindex): the last, unless the user
   * reads others. The arrow keys reach those. */
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
      const message = this.#list.messageOf(row)
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
    const message = this.#list.messageOf(row)
    if (row !== null && message !== null) this.#handlers.active(row, message)
  }
}
