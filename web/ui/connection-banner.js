// The state of the connection, over the list.

import { fill, h } from './dom.js'
import { errorText } from './format.js'
import { icon } from './icons.js'

/** What passes in so many milliseconds is not worth a word. */
const PATIENCE = 800
/** How long good news is shown. */
const GOOD_NEWS = 2500

/**
 * @param {import('./controls.js').Ui} ui
 * @param {import('../client/client.js').Room} room
 */
export function connectionSign(ui, room) {
  const { t, language } = ui
  const node = h('div', { class: 'net', part: 'connection', hidden: true })
  let told = false // that the connection is lost
  /** @type {string | null} */
  let code = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer

  const stop = room.on('state', detail => {
    code = detail.code
    clearTimeout(timer)
    node.dataset.state = detail.state
    if (detail.state === 'open') {
      if (told) tell(false, icon('check'), t('net.back'))
      told = false
      timer = setTimeout(hide, GOOD_NEWS)
    } else if (detail.state === 'ended') {
      hide()
    } else if (told || detail.state === 'closed') {
      render()
    } else {
      timer = setTimeout(render, PATIENCE)
    }
  })
  // A browser knows that it is offline before a connection does.
  const again = () => { if (told || !navigator.onLine) render() }
  addEventListener('online', again)
  addEventListener('offline', again)

  function render() {
    clearTimeout(timer)
    const { state } = room
    if (state === 'open' || state === 'ended') return
    const first = !told
    told = true
    const wake = h('button', { type: 'button', 'data-action': 'reconnect', on: { click: () => (state === 'closed' ? room.connect() : room.wake()) } }, t('net.now'))
    if (!navigator.onLine) return tell(first, icon('offline'), t('net.offline'))
    if (state === 'closed') {
      const text = code === 'replaced' ? t('net.closed') : code === 'room_full' ? errorText(code, t, language) : t('net.lost')
      return tell(first, icon('offline'), text, wake)
    }
    const left = room.retryAt === null ? 0 : Math.ceil((room.retryAt - Date.now()) / 1000)
    if (state === 'waiting' && left > 0) {
      tell(first, icon('offline'), t('net.waiting', { n: left }), wake)
      timer = setTimeout(render, 1000)
    } else {
      tell(first, icon('retry'), t('net.connecting'))
      timer = setTimeout(render, 1000)
    }
  }

  /**
   * @param {boolean} aloud
   * @param {...(Node | string)} what
   */
  function tell(aloud, ...what) {
    node.classList.toggle('good', room.state === 'open')
    const text = what.find(part => typeof part === 'string')
    // The button stays while one is about to press it.
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
