// The page at the mount point: the element, with the room of the address.

import { h } from './ui/dom.js'
import './ui/element.js'
import { isolated, pickLanguage, translator } from './ui/i18n.js'
import { icon, mark } from './ui/icons.js'

const language = pickLanguage(navigator.languages)
const t = translator(language)
const chat = /** @type {HTMLElement} */ (document.querySelector('ephemeral-chat'))
let roomName = ''
let unread = 0

document.documentElement.lang = language
chat.append(h('div', { slot: 'intro', class: 'intro' },
  h('div', { class: 'brand' }, mark(), t('page.brand')),
  h('h1', { class: 'claim' }, t('page.claim')),
  h('p', { class: 'lead' }, t('page.lead')),
  h('ul', null,
    h('li', null, icon('share'), t('page.share')),
    h('li', null, icon('clock'), t('page.clock')),
    h('li', null, icon('trash'), t('page.erased')))))

/** Shows the room of the address: `#<roomId>`, or `#<roomId>.<key>` of a private one. */
function showAddressedRoom() {
  const [room, key = ''] = location.hash.slice(1).split('.', 2)
  for (const [name, value] of [['key', key], ['room', room]]) {
    if (value) chat.setAttribute(name, value)
    else chat.removeAttribute(name)
  }
}

function setTitle() {
  document.title = (unread > 0 ? `(${unread}) ` : '') + (roomName ? `${isolated(roomName)} · ${t('page.brand')}` : t('page.title'))
}

/**
 * @param {string} name
 * @param {(detail: any) => void} listener
 */
function on(name, listener) {
  chat.addEventListener(`ephemeral-chat:${name}`, event => {
    listener(/** @type {CustomEvent} */ (event).detail)
    setTitle()
  })
}

on('created', ({ roomId, key }) => history.pushState(null, '', `#${roomId}${key ? `.${key}` : ''}`))
on('start', () => history.pushState(null, '', location.pathname + location.search))
on('joined', detail => { roomName = detail.roomName })
on('unread', ({ count }) => { unread = count })
on('ended', () => { roomName = ''; unread = 0 })
addEventListener('hashchange', showAddressedRoom)
addEventListener('popstate', showAddressedRoom)
showAddressedRoom()
setTitle()
