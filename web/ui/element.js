// <ephemeral-chat>: a room on any page, and all of the page at the mount point.
// docs/embed.md says what its attributes, events, parts and properties are.

import { ChatClient } from '../client/client.js'
import { conversation } from './chat-view.js'
import { counted } from './format.js'
import { Frame } from './shell.js'
import { joinView } from './join-view.js'
import { mount } from './mount.js'
import { startView } from './create-view.js'
import { goneView, loadingView, troubleView } from './placeholder-views.js'
import { pickLanguage, translator } from './i18n.js'
import { styles } from './styles.js'

/** @typedef {import('./controls.js').Ui} Ui */
/** @typedef {import('./controls.js').View} View */
/** @typedef {import('../client/client.js').Room} Room */

/** What takes less than this, in milliseconds, has no loading view. */
const QUICK = 250
/** How long what was said takes to vanish. */
const VANISH = 1100

/** The id of a room that somebody has created. */
const randomId = /^[A-Za-z0-9_-]{22}$/

export class EphemeralChat extends HTMLElement {
  static observedAttributes = ['room', 'key', 'base', 'mode', 'lang']

  /** @type {Frame | null} */
  #frame = null
  /** @type {Ui | null} */
  #ui = null
  /** @type {View | null} */
  #view = null
  /** @type {Room | null} */
  #room = null
  /** @type {(() => void) | null} */
  #looked = null
  #turn = 0 // what was begun in an earlier one comes to nothing
  #planned = false
  #anyway = false

  constructor() {
    super()
    this.attachShadow({ mode: 'open' }).adoptedStyleSheets = styles()
  }

  connectedCallback() { this.#plan() }

  disconnectedCallback() { this.#plan() }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} now
   */
  attributeChangedCallback(name, before, now) {
    if (before !== now && (this.#frame !== null || this.isConnected)) this.#plan(name !== 'room' && name !== 'key')
  }

  /** Opens the bubble. */
  show() { this.#frame?.open() }

  /** Closes the bubble. */
  hide() { this.#frame?.close() }

  /** Whether what is shown is already what the attributes say. */
  #isCurrent() {
    return this.#room !== null && this.getAttribute('room') === this.#room.roomId && (this.getAttribute('key') || null) === this.#room.key
  }

  /**
   * Begins anew with what the attributes say by then.
   *
   * @param {boolean} [anyway] even if the room is the same
   */
  #plan(anyway = true) {
    this.#anyway ||= anyway
    if (this.#planned) return
    this.#planned = true
    queueMicrotask(() => {
      this.#planned = false
      if (!this.#anyway && this.#isCurrent()) return
      this.#anyway = false
      this.#end()
      if (this.isConnected) this.#begin()
    })
  }

  #end() {
    this.#turn += 1
    this.#forget()
    this.#view?.dispose?.()
    this.#view = null
    this.#frame?.dispose()
    this.#frame = null
  }

  /** Leaves the room's connections, but not the room. */
  #forget() {
    this.#room?.close()
    this.#room = null
    this.#looked = null
  }

  #begin() {
    const wanted = this.getAttribute('lang')
    const language = pickLanguage(wanted ? [wanted] : navigator.languages)
    const t = translator(language)
    const frame = new Frame(/** @type {ShadowRoot} */ (this.shadowRoot), this.getAttribute('mode') ?? 'inline', t, {
      opened: () => {
        this.emit('open')
        this.#view?.focus?.()
        this.#looked?.()
        this.#welcomeByName()
      },
      closed: () => this.emit('close'),
    })
    this.#frame = frame
    this.#ui = {
      t, language,
      client: new ChatClient({ base: this.getAttribute('base') || mount, storage: storage() }),
      announce: text => frame.announce(text),
      hush: () => frame.hush(),
      emit: (name, detail) => this.emit(name, detail),
      level: this.#isPage ? 1 : 2,
      place: dialog => frame.place(dialog),
    }
    this.#route()
  }

  get #isPage() { return this.getAttribute('mode') === 'page' }

  /**
   * @param {string} name
   * @param {object} [detail]
   */
  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(`ephemeral-chat:${name}`, { detail, bubbles: true, composed: true }))
  }

  /** @param {View} view */
  #show(view) {
    const focused = this.#frame?.focused ?? false
    this.#view?.dispose?.()
    this.#view = view
    this.#frame?.show(view.node)
    // A field that has the focus brings up the keyboard of a phone: not unasked.
    if (focused || (this.#isPage && matchMedia('(hover: hover)').matches)) view.focus?.()
  }

  /** Finds out what is to be shown. */
  async #route() {
    const ui = /** @type {Ui} */ (this.#ui)
    const turn = ++this.#turn
    this.#forget()
    const roomId = this.getAttribute('room')
    const key = this.getAttribute('key') || null
    if (!roomId) {
      this.#start()
      ui.client.sweep().catch(() => {})
      return
    }
    const loading = setTimeout(() => this.#show(loadingView(ui)), QUICK)
    try {
      const room = await ui.client.restore(roomId, { key })
      const info = room === null ? await ui.client.roomInfo(roomId) : null
      if (turn !== this.#turn) return room?.close()
      if (room !== null) this.#enter(room)
      else if (info !== null) this.#invite(roomId, key, info)
    } catch (error) {
      if (turn !== this.#turn) return
      if (codeOf(error) === 'room_not_found') this.#gone('gone', false)
      else this.#show(troubleView(ui, error, () => this.#route()))
    } finally {
      clearTimeout(loading)
    }
    ui.client.sweep().catch(() => {})
  }

  #start() {
    this.#show(startView(/** @type {Ui} */ (this.#ui), {
      ttl: number(this.getAttribute('ttl')), maxTTL: number(this.getAttribute('max-ttl')), name: this.getAttribute('name') ?? '', named: this.hasAttribute('named'),
      created: room => {
        this.#enter(room)
        if (room.key !== null) this.setAttribute('key', room.key)
        this.setAttribute('room', room.roomId)
        this.emit('created', { roomId: room.roomId, key: room.key })
      },
    }))
  }

  /**
   * @param {string} roomId
   * @param {string | null} key
   * @param {import('../client/client.js').RoomInfo} info
   */
  #invite(roomId, key, info) {
    this.#show(joinView(/** @type {Ui} */ (this.#ui), {
      roomId, key, info, name: this.getAttribute('name') ?? '', named: this.hasAttribute('named'), standing: !randomId.test(roomId),
      joined: room => this.#enter(room),
      failed: error => {
        if (codeOf(error) !== 'room_not_found') return false
        this.#gone('gone', false)
        return true
      },
    }))
    this.#byName = () => {
      if (info.passwordRequired || info.locked) return
      const { form } = /** @type {any} */ (this.#view?.node.querySelector('button.primary')) ?? {}
      form?.requestSubmit()
    }
    this.#welcomeByName()
  }

  /** @type {(() => void) | null} */
  #byName = null

  /** Who is known by name to the site joins without being asked, once he looks. */
  #welcomeByName() {
    const join = this.#byName
    if (join === null || !(this.getAttribute('name') || this.hasAttribute('named')) || this.#isPage || !this.#frame?.isOpen) return
    this.#byName = null
    join()
  }

  /** @param {Room} room */
  #enter(room) {
    const ui = /** @type {Ui} */ (this.#ui)
    const frame = /** @type {Frame} */ (this.#frame)
    this.#byName = null
    this.#room = room
    const view = conversation(ui, room, {
      link: this.#link(room),
      seen: () => frame.isOpen && !document.hidden,
      unread: count => {
        frame.badge(count, counted('app.unread', count, ui.t, ui.language))
        this.emit('unread', { count })
      },
    })
    this.#looked = view.moved
    room.on('message', ({ message }) => this.emit('message', { seq: message.seq, userId: message.userId, mine: message.mine }))
    room.on('state', ({ state }) => this.emit('state', { state }))
    room.on('ended', ({ reason }) => {
      if (this.#room === room) this.#vanish(reason)
    })
    this.#show(view)
    room.connect()
    this.emit('joined', { roomId: room.roomId, roomName: room.roomName, userId: room.userId, role: room.role })
  }

  /**
   * The link that invites others: of the page at the mount point, or of whatever
   * page the attribute `share` names.
   *
   * @param {Room} room
   */
  #link(room) {
    const share = this.getAttribute('share')
    if (share === null && !this.#isPage) return null
    const url = new URL(share || this.getAttribute('base') || mount, document.baseURI)
    url.hash = room.key === null ? room.roomId : `${room.roomId}.${room.key}`
    return url.href
  }

  /** @param {import('../client/client.js').EndReason} reason */
  #vanish(reason) {
    const turn = ++this.#turn
    const room = this.#room
    this.emit('ended', { reason })
    this.#frame?.badge(0, '')
    const ui = /** @type {Ui} */ (this.#ui)
    // A standing room, whose id is not a random one, begins again under the same id.
    const standing = reason === 'removed' || room === null || randomId.test(room.roomId) ? Promise.resolve(false)
      : ui.client.roomInfo(room.roomId).then(() => true, () => false)
    setTimeout(async () => {
      const again = await standing
      if (turn === this.#turn) this.#gone(reason, again)
    }, reason === 'expired' || reason === 'deleted' ? VANISH : 0)
  }

  /**
   * @param {import('../client/client.js').EndReason} reason
   * @param {boolean} again whether one can join under the same id
   */
  #gone(reason, again) {
    const ui = /** @type {Ui} */ (this.#ui)
    this.#forget()
    this.#frame?.closeDialogs()
    const view = goneView(ui, {
      reason,
      again: again ? () => this.#route() : null,
      begin: !this.#isPage ? null : () => {
        this.removeAttribute('key')
        this.removeAttribute('room')
        this.emit('start')
      },
    })
    this.#show(view)
    ui.announce(view.node.textContent ?? '')
  }
}

/** @param {unknown} error */
function codeOf(error) { return /** @type {{code?: string}} */ (error)?.code }

/** @param {string | null} text */
function number(text) { return Number(text) > 0 ? Number(text) : null }

/** Returns where to remember who one is, if the browser lets us. */
function storage() {
  try {
    return globalThis.localStorage
  } catch {
    return null
  }
}

if (!customElements.get('ephemeral-chat')) customElements.define('ephemeral-chat', EphemeralChat)
