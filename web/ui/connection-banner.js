import { fill, h } from './dom.js'
import { errorText } from './format.js'
import { icon } from './icons.js'

/** A shorter loss of the connection is not shown, in milliseconds. */
const SHOW_DELAY = 800
/** How long the return of the connection is shown, in milliseconds. */
const RETURN_TIME = 2500

/**
 * Makes the banner over the messages that shows a lost connection.
 *
 * @param {import('./controls.js').Ui} ui
 * @param {import('../client/client.js').Room} room
 */
export function connectionBanner(ui, room) {
  const { t, language } = ui
  const node = h('div', { class: 'net', part: 'connection', hidden: true })
  let lost = false // whether the banner shows a loss
  /** @type {string | null} */
  let code = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  const stop = room.on('state', detail => {
    code = detail.code
    clearTimeout(timer)
    node.dataset.state = detail.state
    if (detail.state === 'open') {
      if (lost) display(false, icon('check'), t('net.back'))
      lost = false
      timer = setTimeout(hide, RETURN_TIME)
    } else if (detail.state === 'ended') {
      hide()
    } else if (lost || detail.state === 'closed') {
      render()
    } else {
      timer = setTimeout(render, SHOW_DELAY)
    }
  })
  // A browser notices that it is offline before the connection fails.
  const again = () => { if (lost || !navigator.onLine) render() }
  addEventListener('online', again)
  addEventListener('offline', again)

  function render() {
    clearTimeout(timer)
    const { state } = room
    if (state === 'open' || state === 'ended') return
    const first = !lost
    lost = true
    const wake = h('button', { type: 'button', 'data-action': 'reconnect', on: { click: () => (state === 'closed' ? room.connect() : room.wake()) } }, t('net.now'))
    if (!navigator.onLine) return display(first, icon('offline'), t('net.offline'))
    if (state === 'closed') {
      const text = code === 'replaced' ? t('net.closed') : code === 'room_full' ? errorText(code, t, language) : t('net.lost')
      return display(first, icon('offline'), text, wake)
    }
    const left = room.retryAt === null ? 0 : Math.ceil((room.retryAt - Date.now()) / 1000)
    if (state === 'waiting' && left > 0) {
      display(first, icon('offline'), t('net.waiting', { n: left }), wake)
      timer = setTimeout(render, 1000)
    } else {
      display(first, icon('retry'), t('net.connecting'))
      timer = setTimeout(render, 1000)
    }
  }

  /**
   * @param {boolean} aloud
   * @param {...(Node | string)} what
   */
  function display(aloud, ...what) {
    node.classList.toggle('good', room.state === 'open')
    const text = what.find(part => typeof part === 'string')
    // The button stays: the user may be about to press it.
    const box = node.querySelector('div')
    const button = box?.querySelector('button')
    const wanted = what.find(part => part instanceof HTMLButtonElement)
    if (box && button && wanted) {
      box.replaceChildren(...what.map(part => (part === wanted ? button : part)))
    } else {
      fill(node, h('div', null, ...what.map(part => (typeof part === 'string' ? h('span', null, part) : part))))
    }
    node.hidden = false
    if (aloud || room.state === 'open') ui.announce(String(text))
  }

  function hide() {
    node.hidden = true
    fill(node)
  }

  return {
    node,
    dispose() {
      stop()
      clearTimeout(timer)
      removeEventListener('online', again)
      removeEventListener('offline', again)
    },
  }
}
