/** @typedef {import('../client/client.js').Message} Message */

/** The largest number of rows in the document. */
const MAX_ROWS = 240
/** The number of rows that are added at once. */
const STEP = 60

/**
 * The rows of consecutive messages: of up to ten thousand messages, only those around
 * the visible ones are in the document. Rows are added at the end that the user
 * scrolls to and removed at the other, while the visible ones keep their position.
 */
export class VirtualList {
  /** The seq of the first and of the last row, 0 without rows. */
  first = 0
  last = 0
  #scroller
  #rows
  #messages
  #render

  /**
   * @param {HTMLElement} scroller the scrolling element
   * @param {HTMLElement} rows holds only the rows
   * @param {() => readonly Message[]} messages returns the loaded messages, without gaps
   * @param {(messages: readonly Message[], i: number) => HTMLElement} render makes a row
   */
  constructor(scroller, rows, messages, render) {
    this.#scroller = scroller
    this.#rows = rows
    this.#messages = messages
    this.#render = render
  }

  /** Whether the newest message has a row. */
  get complete() { return this.last === (this.#messages().at(-1)?.seq ?? 0) }

  /** Renders the newest messages and no others. */
  reset() {
    this.#rows.textContent = ''
    this.first = this.last = 0
    const { length } = this.#messages()
    this.#add(Math.max(0, length - STEP), length)
  }

  /**
   * Renders the messages that were added, dropped or replaced.
   *
   * @param {boolean} follow whether the end is visible, so that new rows replace those
   *   above; else they are added only up to the largest number
   */
  update(follow) {
    const messages = this.#messages()
    const oldest = messages[0]?.seq ?? 0
    if (this.last === 0 || this.last < oldest || this.last > (messages.at(-1)?.seq ?? 0)) return this.reset()
    if (this.first < oldest) this.#keepPosition(() => this.#dropFirst(oldest - this.first))
    const from = this.#index(this.last) + 1
    if (!follow) {
      this.#add(from, Math.min(messages.length, from + MAX_ROWS - this.#rows.childElementCount))
    } else if (messages.length - from > STEP) {
      this.reset()
    } else {
      this.#add(from, messages.length)
      if (this.#rows.childElementCount > MAX_ROWS) this.#dropFirst(this.#rows.childElementCount - MAX_ROWS + STEP)
    }
  }

  /** Adds earlier rows, and reports whether it found messages for them. */
  earlier() {
    const i = this.#index(this.first)
    if (this.last === 0 || i <= 0) return false
    this.#keepPosition(() => {
      const first = this.first
      this.#add(Math.max(0, i - STEP), i)
      this.renew(first) // it may not start a group any more
      this.#dropLast(this.#rows.childElementCount - MAX_ROWS)
    })
    return true
  }

  /** Adds later rows. */
  later() {
    if (this.last === 0 || this.complete) return
    const from = this.#index(this.last) + 1
    this.#keepPosition(() => {
      this.#add(from, Math.min(this.#messages().length, from + STEP))
      this.#dropFirst(this.#rows.childElementCount - MAX_ROWS)
    })
  }

  /**
   * Renders the row of a message again, if it has one.
   *
   * @param {number} seq
   */
  renew(seq) {
    const old = this.row(seq)
    const message = this.messageOf(old)
    if (old === null || message === null) return
    const focused = old.matches(':focus-within')
    const row = this.#render(this.#messages(), this.#index(seq))
    row.tabIndex = old.tabIndex
    old.replaceWith(row)
    if (focused) row.focus({ preventScroll: true })
  }

  /**
   * @param {number} seq
   * @returns {HTMLElement | null}
   */
  row(seq) { return this.#rows.querySelector(`[data-seq="${seq}"]`) }

  /**
   * @param {Element | null} row
   * @returns {Message | null}
   */
  messageOf(row) {
    const seq = seqOf(row)
    const message = this.#messages()[this.#index(seq)]
    return message?.seq === seq ? message : null
  }

  /**
   * Returns the index of a message among the loaded ones.
   *
   * @param {number} seq
   */
  #index(seq) { return seq - (this.#messages()[0]?.seq ?? 0) }

  /**
   * Adds rows next to the existing ones.
   *
   * @param {number} from index
   * @param {number} to index, exclusive
   */
  #add(from, to) {
    if (from >= to) return
    const messages = this.#messages()
    const fragment = document.createDocumentFragment()
    for (let i = from; i < to; i += 1) fragment.append(this.#render(messages, i))
    const before = this.last !== 0 && messages[from].seq < this.first
    if (before) this.#rows.prepend(fragment)
    else this.#rows.append(fragment)
    if (before || this.last === 0) this.first = messages[from].seq
    if (!before) this.last = messages[to - 1].seq
  }

  /** @param {number} count */
  #dropFirst(count) {
    for (let i = 0; i < count; i += 1) {
      const row = this.#rows.firstElementChild
      if (row === null || row.matches(':focus-within')) break
      row.remove()
    }
    this.first = seqOf(this.#rows.firstElementChild)
    if (this.first === 0) this.last = 0
  }

  /** @param {number} count */
  #dropLast(count) {
    for (let i = 0; i < count; i += 1) {
      const row = this.#rows.lastElementChild
      if (row === null || row.matches(':focus-within')) break
      row.remove()
    }
    this.last = seqOf(this.#rows.lastElementChild)
  }

  /**
   * Changes rows, then scrolls so that the visible ones keep their position.
   *
   * @param {() => void} change
   */
  #keepPosition(change) {
    const { top } = this.#scroller.getBoundingClientRect()
    // Find the first visible row, which stays in the document.
    let low = 0
    let high = this.#rows.children.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#rows.children[middle].getBoundingClientRect().bottom > top) high = middle
      else low = middle + 1
    }
    const seq = seqOf(this.#rows.children[low] ?? null)
    const before = this.row(seq)?.getBoundingClientRect().top
    change()
    const after = this.row(seq)?.getBoundingClientRect().top
    if (before !== undefined && after !== undefined && after !== before) this.#scroller.scrollTop += after - before
  }
}

/** @param {Element | null} row */
function seqOf(row) { return Number(row?.getAttribute('data-seq') ?? 0) }
