import { fill, h } from './dom.js'
import { nameOf } from './format.js'

/** How long a typing notice lasts, in milliseconds. */
const TYPING = 5000
/** How long a note is shown, in milliseconds. */
const NOTE = 4000
/** The largest number of messages at once that are read aloud, not counted. */
const READ = 3

/**
 * Makes the line below the messages: typing users, arrivals and departures, and other
 * passing notes. It also passes the messages of others to screen readers.
 *
 * @param {import('./controls.js').Ui} ui
 * @param {import('../client/client.js').Room} room
 */
export function statusLine(ui, room) {
  const { t } = ui
  const node = h('div', { class: 'status', part: 'status' })
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  const typing = new Map()
  let news = ''
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let newsTimer
  /** @type {string[]} */
  let unread = []
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let readTimer

  function render() {
    const names = [...typing.keys()].map(userId => nameOf(userId, t))
    const text = names.length === 0 ? news
      : names.length === 1 ? t('say.typing.one', { a: names[0] })
        : names.length === 2 ? t('say.typing.two', { a: names[0], b: names[1] }) : t('say.typing.many')
    if (node.textContent === text) return
    node.dataset.typing = String(names.length)
    fill(node, names.length > 0 && h('span', { 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), h('span', null, text))
  }

  /** @param {string} userId */
  function stopTyping(userId) {
    clearTimeout(typing.get(userId))
    if (typing.delete(userId)) render()
  }

  /** @param {string} text */
  function note(text) {
    news = text
    clearTimeout(newsTimer)
    newsTimer = setTimeout(() => { news = ''; render() }, NOTE)
    render()
    ui.announce(text)
  }

  function read() {
    readTimer = undefined
    ui.announce(unread.length <= READ ? unread.join('. ') : t('app.unread.other', { n: unread.length }))
    unread = []
  }

  const stops = [
    room.on('typing', ({ userId }) => {
      clearTimeout(typing.get(userId))
      typing.set(userId, setTimeout(() => stopTyping(userId), TYPING))
      render()
    }),
    room.on('online', ({ joined, left }) => {
      if (left !== undefined) stopTyping(left)
      if (joined !== undefined) note(t('room.joined', { name: nameOf(joined, t) }))
      else if (left !== undefined) note(t('room.gone', { name: nameOf(left, t) }))
    }),
  ]

  return {
    node,
    note,
    stopTyping,
    /** Passes a message to screen readers. @param {import('../client/client.js').Message} message */
    readAloud(message) {
      unread.push(`${nameOf(message.userId, t)}: ${message.text}`)
      readTimer ??= setTimeout(read, 600)
    },
    dispose() {
      stops.forEach(stop => stop())
      for (const timer of typing.values()) clearTimeout(timer)
      clearTimeout(newsTimer)
      clearTimeout(readTimer)
    },
  }
}
