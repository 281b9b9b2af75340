import { subheading } from './controls.js'
import { fill, h } from './dom.js'
import { duration, formatCountdown, timeOfDay } from './format.js'
import { icon } from './icons.js'

/** The seconds left at which screen readers announce the time. */
const warnings = [600, 300, 60, 30, 10]

/**
 * Makes the displays of the time that the room has left: digits, and a fuse that gets
 * shorter.
 *
 * @param {import('./controls.js').Ui} ui
 * @param {import('../client/client.js').Room} room
 * @param {HTMLElement} stage gets `data-phase`: waiting, running or last
 */
export function countdown(ui, room, stage) {
  const { t, language } = ui
  const small = h('span', null)
  const spoken = h('span', { class: 'spoken' })
  const big = h('strong', null)
  const ends = h('span', { class: 'hint' })
  const fuses = [h('i'), h('i')]
  let warned = Infinity
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  // The last tenth of the time warns: at least ten seconds, at most five minutes.
  const lastPhase = Math.min(300_000, Math.max(10_000, room.ttl * 100))

  function tick() {
    const left = room.remaining()
    if (left === null) {
      const whole = duration(room.ttl, language, 'short')
      stage.dataset.phase = 'waiting'
      write(small, whole)
      write(spoken, t('room.waiting'))
      write(big, whole)
      write(ends, t('room.starts'))
      burn(1)
      return
    }
    stage.dataset.phase = left <= lastPhase ? 'last' : 'running'
    const text = formatCountdown(left, language)
    write(small, text)
    write(big, text)
    write(spoken, t('room.left'))
    write(ends, room.expiresAt === null ? '' : t('room.ends', { time: timeOfDay(Date.now() + left, language) }))
    burn(left / (room.ttl * 1000))
    warn(left)
    clearTimeout(timer)
    // Just after the next full second.
    if (left > 0) timer = setTimeout(tick, (left % 1000) + 5)
  }

  /** @param {number} part */
  function burn(part) {
    for (const fuse of fuses) fuse.style.setProperty('--left', Math.min(1, Math.max(0, part)).toFixed(4))
  }

  /** @param {number} left */
  function warn(left) {
    const at = warnings.filter(warning => warning < room.ttl && left <= warning * 1000).pop()
    if (at === undefined || at >= warned) return
    const late = warned !== Infinity || left > (at - 2) * 1000
    warned = at
    if (late) ui.announce(t('room.leftSpoken', { time: duration(left / 1000, language) }))
  }

  const stop = room.on('started', ({ expiresAt }) => {
    tick()
    if (expiresAt) ui.announce(t('room.started', { time: duration((room.remaining() ?? 0) / 1000, language) }))
  })
  const stopWelcome = room.on('welcome', tick)
  tick()

  return {
    pill: h('div', { class: 'clock', part: 'countdown', role: 'timer', 'aria-live': 'off' }, icon('clock'), spoken, small),
    fuse: h('div', { class: 'fuse', 'aria-hidden': 'true' }, fuses[0]),
    panel: h('section', { class: 'big-clock' }, subheading(ui, t('room.left')), big,
      h('div', { class: 'fuse', 'aria-hidden': 'true' }, fuses[1]), ends),
    dispose() {
      clearTimeout(timer)
      stop()
      stopWelcome()
    },
  }
}

/**
 * @param {Element} node
 * @param {string} text
 */
function write(node, text) {
  if (node.textContent !== text) fill(node, text)
}
