import { connectionBanner } from './connection-banner.js'
import { composer } from './composer.js'
import { heading, iconButton } from './controls.js'
import { countdown } from './countdown.js'
import { confirmAction, showDialog } from './dialog.js'
import { fill, h } from './dom.js'
import { counted, duration } from './format.js'
import { icon, mark } from './icons.js'
import { MessageList } from './message-list.js'
import { playNotification } from './notification-sound.js'
import { roomPanel } from './room-panel.js'
import { shareBox, shareDialog } from './share.js'
import { statusLine } from './status-line.js'

/** The width from which the panel stands beside the messages, in pixels. */
const BROAD = 860

/**
 * Makes the view of a joined room: header, messages, and composer.
 *
 * @param {import('./controls.js').Ui} ui
 * @param {import('../client/client.js').Room} room
 * @param {object} options
 * @param {string | null} options.link to the room, null to offer none
 * @param {() => boolean} options.seen whether the view is visible
 * @param {(count: number) => void} options.unread is called with the number of unread messages
 */
export function chatView(ui, room, { link, seen, unread }) {
  const { t, language } = ui
  const invitation = link === null ? null : { link, roomName: room.roomName, sealed: room.private }
  const aborter = new AbortController()
  const { signal } = aborter
  let count = 0
  let sound = false
  let welcomed = false

  const node = h('div', { class: 'view room', 'data-view': 'chat', part: 'room' })
  const clock = countdown(ui, room, node)
  const banner = connectionBanner(ui, room)
  const status = statusLine(ui, room)
  const writer = composer(ui, { send, typing: () => room.typing() })
  const list = new MessageList(ui, room, { moved, active, inactive: () => takeBack.remove(), retract })
  const panel = roomPanel(ui, room, { clock: clock.panel, invitation, sound, setSound: on => { sound = on } })

  const here = h('span', null)
  const locked = h('span', null, icon('lock'), t('room.locked'))
  const toEnd = h('button', { type: 'button', class: 'to-end', hidden: true, 'data-action': 'to-end', on: { click: () => { list.toEnd(); writer.focus() } } })
  const details = iconButton(t('room.details'), 'people', openPanel, { class: 'tool when-narrow', 'data-action': 'details', part: 'details-button' })
  const takeBack = iconButton(t('list.retract'), 'back', () => {
    const message = room.messages.find(({ seq }) => seq === Number(takeBack.closest('.row')?.getAttribute('data-seq')))
    if (message) retract(message)
  }, { class: 'tool act', 'data-action': 'retract' })

  const side = h('aside', { class: 'side', 'aria-label': t('room.details') })
  node.append(
    h('div', { class: 'talk' },
      h('div', { class: 'bar', part: 'header' },
        h('div', { class: 'titles' }, heading(ui, { class: 'title', part: 'title' }, h('bdi', null, room.roomName)),
          h('div', { class: 'sub' }, h('span', null, h('i', { class: 'dot' }), here), locked,
            room.private && h('span', { title: t('room.sealed') }, icon('shield'), h('span', { class: 'spoken' }, t('room.sealed'))))),
        clock.pill,
        invitation && iconButton(t('share.title'), 'invite', () => shareDialog(ui, invitation), { class: 'tool when-narrow', 'data-action': 'share', part: 'share-button' }),
        details),
      clock.fuse,
      h('div', { class: 'list' }, banner.node, list.node, toEnd),
      status.node, writer.node),
    side)

  /** @param {string} text */
  function send(text) {
    list.mark(0)
    room.send(text)
    list.toEnd()
  }

  /** @param {import('../client/client.js').Message} message */
  function retract(message) {
    if (message.retracted || (!message.mine && room.role !== 'admin')) return
    confirmAction(ui, { title: t('list.retractTitle'), text: t('list.retractText'), yes: t('list.retract'), act: () => room.retract(message.seq) })
  }

  /**
   * @param {HTMLElement} row
   * @param {import('../client/client.js').Message} message
   */
  function active(row, message) {
    const may = !message.retracted && (message.mine || room.role === 'admin')
    // Hidden, not removed: it may be about to get the focus.
    takeBack.hidden = !may
    if (may && takeBack.closest('.row') !== row) row.querySelector('.say')?.append(takeBack)
  }

  function openPanel() {
    const dialog = showDialog(ui, room.roomName, panel.node)
    dialog.addEventListener('close', place, { once: true })
  }

  // In a narrow view the panel is shown only in a dialog, on request.
  function place() {
    if (node.classList.contains('broad')) side.append(panel.node)
  }
  const observer = new ResizeObserver(([entry]) => {
    node.classList.toggle('broad', entry.contentRect.width >= BROAD)
    place()
  })
  observer.observe(node)

  function header() {
    fill(here, counted('room.here', Math.max(1, room.onlineCount), t, language))
    locked.hidden = !room.locked
  }

  function welcome() {
    const none = room.messages.length === 0 && room.pending.length === 0
    if (!none) fill(list.lead)
    else if (list.lead.firstChild === null) {
      fill(list.lead, h('div', { class: 'welcome' }, mark(),
        h('h2', null, t(room.expiresAt === null ? 'room.starts' : 'room.begin')),
        room.expiresAt === null && h('p', null, t('room.startsHint', { time: duration(room.ttl, language) })),
        invitation && h('div', { class: 'invite' }, shareBox(ui, invitation, false))))
    }
    list.node.classList.toggle('empty', none)
  }

  /** @param {number} n */
  function setUnread(n) {
    if (n === count) return
    count = n
    unread(n)
  }

  function moved() {
    if (seen() && list.atEnd) setUnread(0)
    toEnd.hidden = list.atEnd
    toEnd.classList.toggle('some', count > 0)
    const label = count > 0 ? counted('app.unread', count, t, language) : ''
    if (toEnd.dataset.label !== label || toEnd.firstChild === null) {
      toEnd.dataset.label = label
      fill(toEnd, label, icon('down'))
      if (label === '') toEnd.setAttribute('aria-label', t('list.toEnd'))
      else toEnd.removeAttribute('aria-label')
    }
  }

  /** @param {import('../client/client.js').Message} message */
  function received(message) {
    welcome()
    list.update()
    if (message.mine) return
    status.stopTyping(message.userId)
    if (!seen() || !list.atEnd) {
      if (count === 0) list.mark(message.seq)
      setUnread(count + 1)
      if (sound) playNotification()
    }
    status.readAloud(message)
  }

  room.on('message', ({ message }) => received(message), { signal })
  room.on('messages', ({ where, messages }) => {
    welcome()
    list.update()
    if (where === 'replay') {
      const others = messages.filter(({ mine }) => !mine)
      if (others.length > 0 && (!seen() || !list.atEnd)) {
        if (count === 0) list.mark(others[0].seq)
        setUnread(count + others.length)
      }
    }
  }, { signal })
  room.on('pending', () => { welcome(); list.update() }, { signal })
  room.on('retracted', ({ seq }) => {
    ui.clearAnnouncement()
    list.changed(seq)
  }, { signal })
  room.on('gap', () => { list.mark(0); list.reset(); welcome(); status.note(t('list.gap')) }, { signal })
  room.on('online', header, { signal })
  room.on('started', () => { fill(list.lead); welcome() }, { signal })
  room.on('locked', ({ locked: now }) => {
    // The state on arrival is no news.
    if (welcomed) status.note(t(now ? 'room.nowLocked' : 'room.nowOpen'))
    header()
  }, { signal })
  room.on('welcome', () => { welcomed = true; header(); welcome(); list.update() }, { signal })
  room.on('ended', () => { writer.enable(false); node.classList.add('ending') }, { signal })
  document.addEventListener('visibilitychange', () => { if (!document.hidden) moved() }, { signal })
  const aging = setInterval(() => list.age(), 20_000)
  header()
  welcome()

  return {
    node,
    focus: writer.focus,
    /** Updates the unread messages after the view became visible. */
    moved,
    dispose() {
      aborter.abort()
      clearInterval(aging)
      observer.disconnect()
      for (const part of [clock, banner, status, panel, list]) part.dispose()
    },
  }
}
