import { ChatClient } from '../client/client.js'
import { chatView } from './chat-view.js'
import { createView } from './create-view.js'
import { codeOf, counted } from './format.js'
import { pickLanguage, translator } from './i18n.js'
import { joinView } from './join-view.js'
import { mount } from './mount.js'
import { goneView, loadingView, troubleView } from './placeholder-views.js'
import { Shell } from './shell.js'
import { styles } from './styles.js'

/** @typedef {import('./controls.js').Ui} Ui */
/** @typedef {import('./controls.js').View} View */
/** @typedef {import('../client/client.js').Room} Room */

/** The time after which the loading view appears, in milliseconds. */
const LOADING_DELAY = 250
/** The duration of the animation in which messages dissolve, in milliseconds. */
const DISSOLVE_TIME = 1100

/** Matches the id of a created room. Declared rooms have other ids. */
const createdId = /^[A-Za-z0-9_-]{22}$/

/**
 * <ephemeral-chat>: a room on any page, and all of the page at the mount point.
 * docs/embed.md lists its attributes, events, parts and properties.
 */
export class EphemeralChat extends HTMLElement {
  static observedAttributes = ['room', 'key', 'base', 'mode', 'lang']

  /** @type {Shell | null} */
  #shell = null
  /** @type {Ui | null} */
  #ui = null
  /** @type {View | null} */
  #view = null
  /** @type {Room | null} */
  #room = null
  /** @type {(() => void) | null} */
  #seen = null // updates the unread messages after the bubble was opened
  #generation = 0 // asynchronous work of an earlier one is ignored
  #scheduled = false
  #forced = false // whether to restart even if the room is the same

  constructor() {
    super()
    this.attachShadow({ mode: 'open' }).adoptedStyleSheets = styles()
  }

  connectedCallback() { this.#schedule() }

  disconnectedCallback() { this.#schedule() }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} now
   */
  attributeChangedCallback(name, before, now) {
    if (before !== now && (this.#shell !== null || this.isConnected)) this.#schedule(name !== 'room' && name !== 'key')
  }

  /** Opens the bubble. */
  show() { this.#shell?.open() }

  /** Closes the bubble. */
  hide() { this.#shell?.close() }

  /** Whether the current room is the one of the attributes. */
  #isCurrent() {
    return this.#room !== null && this.getAttribute('room') === this.#room.roomId && (this.getAttribute('key') || null) === this.#room.key
  }

  /**
   * Schedules a restart with the attributes of that time. Several changes in a row
   * cause one.
   *
   * @param {boolean} [forced] even if the room is the same
   */
  #schedule(forced = true) {
    this.#forced ||= forced
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      if (!this.#forced && this.#isCurrent()) return
      this.#forced = false
      this.#stop()
      if (this.isConnected) this.#restart()
    })
  }

  #stop() {
    this.#generation += 1
    this.#closeRoom()
    this.#view?.dispose?.()
    this.#view = null
    this.#shell?.dispose()
    this.#shell = null
  }

  /** Closes the connection to the room. The user stays a member. */
  #closeRoom() {
    this.#room?.close()
    this.#room = null
    this.#seen = null
  }

  #restart() {
    const wanted = this.getAttribute('lang')
    const language = pickLanguage(wanted ? [wanted] : navigator.languages)
    const t = translator(language)
    const shell = new Shell(/** @type {ShadowRoot} */ (this.shadowRoot), this.getAttribute('mode') ?? 'inline', t, {
      opened: () => {
        this.emit('open')
        this.#view?.focus?.()
        this.#seen?.()
        this.#joinByName()
      },
      closed: () => this.emit('close'),
    })
    this.#shell = shell
    this.#ui = {
      t, language,
      client: new ChatClient({ base: this.getAttribute('base') || mount, storage: storage() }),
      announce: text => shell.announce(text),
      clearAnnouncement: () => shell.clearAnnouncement(),
      level: this.#isPage ? 1 : 2,
      place: dialog => shell.place(dialog),
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
    const focused = this.#shell?.focused ?? false
    this.#view?.dispose?.()
    this.#view = view
    this.#shell?.show(view.node)
    // A focused field opens the keyboard of a phone, which the user has not asked for.
    if (focused || (this.#isPage && matchMedia('(hover: hover)').matches)) view.focus?.()
  }

  /** Shows the view for the attributes. */
  async #route() {
    const ui = /** @type {Ui} */ (this.#ui)
    const generation = ++this.#generation
    this.#closeRoom()
    const roomId = this.getAttribute('room')
    const key = this.getAttribute('key') || null
    if (!roomId) {
      this.#showCreate()
      ui.client.sweep().catch(() => {})
      return
    }
    const loading = setTimeout(() => this.#show(loadingView(ui)), LOADING_DELAY)
    try {
      const room = await ui.client.restore(roomId, { key })
      const info = room === null ? await ui.client.roomInfo(roomId) : null
      if (generation !== this.#generation) return room?.close()
      if (room !== null) this.#showRoom(room)
      else if (info !== null) this.#showJoin(roomId, key, info)
    } catch (error) {
      if (generation !== this.#generation) return
      if (codeOf(error) === 'room_not_found') this.#showGone('gone', false)
      else this.#show(troubleView(ui, error, () => this.#route()))
    } finally {
      clearTimeout(loading)
    }
    ui.client.sweep().catch(() => {})
  }

  #showCreate() {
    this.#show(createView(/** @type {Ui} */ (this.#ui), {
      ttl: number(this.getAttribute('ttl')), maxTTL: number(this.getAttribute('max-ttl')), name: this.getAttribute('name') ?? '', named: this.hasAttribute('named'),
      created: room => {
        this.#showRoom(room)
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
  #showJoin(roomId, key, info) {
    this.#show(joinView(/** @type {Ui} */ (this.#ui), {
      roomId, key, info, name: this.getAttribute('name') ?? '', named: this.hasAttribute('named'), declared: !createdId.test(roomId),
      joined: room => this.#showRoom(room),
      failed: error => {
        if (codeOf(error) !== 'room_not_found') return false
        this.#showGone('gone', false)
        return true
      },
    }))
    this.#autoJoin = () => {
      if (info.passwordRequired || info.locked) return
      const { form } = /** @type {any} */ (this.#view?.node.querySelector('button.primary')) ?? {}
      form?.requestSubmit()
    }
    this.#joinByName()
  }

  /** @type {(() => void) | null} */
  #autoJoin = null

  /** Joins at once, or when the bubble is opened, if the site has named the user. */
  #joinByName() {
    const join = this.#autoJoin
    if (join === null || !(this.getAttribute('name') || this.hasAttribute('named')) || this.#isPage || !this.#shell?.isOpen) return
    this.#autoJoin = null
    join()
  }

  /** @param {Room} room */
  #showRoom(room) {
    const ui = /** @type {Ui} */ (this.#ui)
    const shell = /** @type {Shell} */ (this.#shell)
    this.#autoJoin = null
    this.#room = room
    const view = chatView(ui, room, {
      link: this.#link(room),
      seen: () => shell.isOpen && !document.hidden,
      unread: count => {
        shell.badge(count, counted('app.unread', count, ui.t, ui.language))
        this.emit('unread', { count })
      },
    })
    this.#seen = view.moved
    room.on('message', ({ message }) => this.emit('message', { seq: message.seq, userId: message.userId, mine: message.mine }))
    room.on('state', ({ state }) => this.emit('state', { state }))
    room.on('ended', ({ reason }) => {
      if (this.#room === room) this.#ended(reason)
    })
    this.#show(view)
    room.connect()
    this.emit('joined', { roomId: room.roomId, roomName: room.roomName, userId: room.userId, role: room.role })
  }

  /**
   * Returns the link for others: to the page at the mount point, or to the page that
   * the attribute `share` names.
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
  #ended(reason) {
    const generation = ++this.#generation
    const room = this.#room
    this.emit('ended', { reason })
    this.#shell?.badge(0, '')
    const ui = /** @type {Ui} */ (this.#ui)
    // A declared room starts again under the same id.
    const restarted = reason === 'removed' || room === null || createdId.test(room.roomId) ? Promise.resolve(false)
      : ui.client.roomInfo(room.roomId).then(() => true, () => false)
    setTimeout(async () => {
      const again = await restarted
      if (generation === this.#generation) this.#showGone(reason, again)
    }, reason === 'expired' || reason === 'deleted' ? DISSOLVE_TIME : 0)
  }

  /**
   * @param {import('../client/client.js').EndReason} reason
   * @param {boolean} again whether the user can join under the same id
   */
  #showGone(reason, again) {
    const ui = /** @type {Ui} */ (this.#ui)
    this.#closeRoom()
    this.#shell?.closeDialogs()
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

/** @param {string | null} text */
function number(text) { return Number(text) > 0 ? Number(text) : null }

/** Returns the storage for credentials, if the browser allows it. */
function storage() {
  try {
    return globalThis.localStorage
  } catch {
    return null
  }
}

if (!customElements.get('ephemeral-chat')) customElements.define('ephemeral-chat', EphemeralChat)
