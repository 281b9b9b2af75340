import { avatar, iconButton, subheading, toggle } from './controls.js'
import { confirmAction } from './dialog.js'
import { fill, h } from './dom.js'
import { counted, errorText, nameOf } from './format.js'
import { icon } from './icons.js'
import { allowSound } from './notification-sound.js'
import { shareBox } from './share.js'

/** @typedef {import('./controls.js').Ui} Ui */

/**
 * Makes the panel of a room: time, link, people and actions. It stands beside a broad
 * chat view, and in a dialog of a narrow one.
 *
 * @param {Ui} ui
 * @param {import('../client/client.js').Room} room
 * @param {object} options
 * @param {HTMLElement} options.clock
 * @param {import('./share.js').Invitation | null} options.invitation
 * @param {boolean} options.sound whether sound is on
 * @param {(on: boolean) => void} options.setSound
 */
export function roomPanel(ui, room, { clock, invitation, sound, setSound }) {
  const { t, language } = ui
  const admin = room.role === 'admin'
  const alert = h('p', { class: 'alert', role: 'alert' })
  const people = h('ul', { class: 'people', part: 'people' })
  const count = subheading(ui, '')

  const soundSwitch = h('input', { type: 'checkbox', name: 'sound', checked: sound })
  soundSwitch.addEventListener('change', () => {
    if (soundSwitch.checked) allowSound()
    setSound(soundSwitch.checked)
  })
  const lockSwitch = h('input', { type: 'checkbox', name: 'lock' })
  lockSwitch.addEventListener('change', () => attempt(() => room.lock(lockSwitch.checked)).then(refresh))
  const start = h('button', { type: 'button', class: 'wide', 'data-action': 'start', on: { click: () => attempt(() => room.start()) } }, icon('clock'), t('act.start'))

  const leave = () => confirmAction(ui, {
    title: t('act.leaveTitle'), text: t('act.leaveText', { name: nameOf(room.userId, t) }), yes: t('act.leave'), act: () => room.leave(),
  })
  const deleteRoom = () => confirmAction(ui, {
    title: t('act.deleteTitle'), text: t('act.deleteText'), yes: t('act.delete'), act: () => room.deleteRoom(),
  })

  /**
   * Runs an action and shows its error.
   *
   * @param {() => Promise<unknown>} act
   */
  async function attempt(act) {
    fill(alert)
    try {
      await act()
    } catch (error) {
      fill(alert, errorText(error, t, language))
    }
  }

  /** @param {string} userId */
  function person(userId) {
    const name = nameOf(userId, t)
    const me = userId === room.userId
    const tag = me ? [t('app.you'), admin && t('room.admin')].filter(Boolean).join(', ') : ''
    return h('li', { class: 'person', 'data-user': userId }, avatar(userId, ui),
      h('span', { class: 'name' }, h('bdi', null, name), tag && h('span', { class: 'tag' }, tag)),
      admin && !me && iconButton(t('act.removeName', { name }), 'close', () => removePerson(userId, name), { 'data-action': 'remove' }))
  }

  /**
   * @param {string} userId
   * @param {string} name
   */
  function removePerson(userId, name) {
    confirmAction(ui, {
      title: t('act.removeTitle', { name }), text: t('act.removeText', { name }), yes: t('act.remove'),
      also: room.locked ? undefined : t('act.removeLock'),
      act: async also => {
        // Lock first, so that the removed user cannot return in between.
        if (also && !room.locked) await room.lock(true)
        await room.removeMember(userId)
        ui.announce(t('act.removed', { name }))
      },
    })
  }

  function refresh() {
    lockSwitch.checked = room.locked
    start.hidden = !admin || room.expiresAt !== null
    fill(count, `${t('room.people')} · ${room.onlineCount}`)
    const names = [...room.online].sort((a, b) => Number(b === room.userId) - Number(a === room.userId) || a.localeCompare(b, language))
    // Rows of the remaining users are kept, and the focus with them.
    const kept = new Map([...people.children].map(row => [row.getAttribute('data-user'), row]))
    const rows = names.map(name => kept.get(name) ?? person(name))
    const hidden = room.onlineCount - names.length
    if (hidden > 0) rows.push(h('li', { class: 'hint' }, counted('room.more', hidden, t, language)))
    rows.forEach((row, i) => { if (people.children[i] !== row) people.insertBefore(row, people.children[i] ?? null) })
    while (people.children.length > rows.length) people.lastElementChild?.remove()
  }

  const stops = [room.on('online', refresh), room.on('welcome', refresh), room.on('locked', refresh), room.on('started', refresh)]
  const node = h('div', { class: 'details', part: 'details' }, clock, start,
    invitation && h('section', null, subheading(ui, t('share.title')), shareBox(ui, invitation, false)),
    h('section', null, count, people),
    h('section', null, subheading(ui, t('act.title')),
      admin && toggle(t('act.lock'), t('act.lockHint'), lockSwitch),
      toggle(t('act.sound'), t('act.soundHint'), soundSwitch), alert,
      h('div', { class: 'acts' },
        h('button', { type: 'button', class: 'wide', 'data-action': 'leave', on: { click: leave } }, icon('leave'), t('act.leave')),
        admin && h('button', { type: 'button', class: 'danger wide', 'data-action': 'delete', on: { click: deleteRoom } }, icon('trash'), t('act.delete')))))
  refresh()
  return { node, dispose: () => stops.forEach(stop => stop()) }
}
