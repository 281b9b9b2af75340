import { field, heading, textInput } from './controls.js'
import { fill, h } from './dom.js'
import { codeOf, duration, errorText } from './format.js'
import { icon } from './icons.js'

/**
 * Makes the form that joins a room: with a name if the user likes, and the password if
 * the room has one.
 *
 * @param {import('./controls.js').Ui} ui
 * @param {object} options
 * @param {string} options.roomId
 * @param {string | null} options.key
 * @param {string} options.name of the user, empty if unknown
 * @param {boolean} options.named whether the site names its users
 * @param {boolean} options.declared whether the site has declared the room: a password
 *   makes its holder the admin
 * @param {import('../client/client.js').RoomInfo} options.info
 * @param {(room: import('../client/client.js').Room) => void} options.joined
 * @param {(error: unknown) => boolean} options.failed returns whether another view shows the error
 * @returns {import('./controls.js').View}
 */
export function joinView(ui, { roomId, key, name, named, declared, info, joined, failed }) {
  const { t, language } = ui
  const userName = textInput('name', { maxlength: 32, placeholder: t('start.nameHint'), autocomplete: 'nickname', value: name })
  const password = textInput('password', { type: 'password', maxlength: 1024, autocomplete: 'off', required: true })
  const alert = h('p', { class: 'alert', role: 'alert' })
  const submit = h('button', { class: 'primary wide', part: 'button' }, t('join.submit'))
  if (info.locked) fill(alert, t('join.locked'))

  const left = info.expiresAt === null ? 0 : (info.expiresAt - Date.now()) / 1000
  const facts = h('div', { class: 'facts' },
    info.expiresAt === null
      ? h('span', { class: 'fact' }, icon('clock'), t('join.waiting'))
      : h('span', { class: 'fact time' }, icon('clock'), t('join.running', { time: duration(left > 120 ? Math.round(left / 60) * 60 : left, language, 'short') })),
    key !== null && h('span', { class: 'fact' }, icon('shield'), t('join.sealed')))

  const secret = field(t('join.password'), password)
  const more = h('button', { type: 'button', class: 'ghost', 'data-action': 'password', on: { click: unfold } }, icon('key'), t('join.withPassword'))
  secret.hidden = !info.passwordRequired
  more.hidden = info.passwordRequired || !declared

  function unfold() {
    secret.hidden = false
    more.hidden = true
    password.focus()
  }

  const form = h('form', { part: 'form', novalidate: true, 'data-form': 'join', on: { submit: send } },
    heading(ui, {}, t('join.title')),
    h('p', { class: 'hint' }, t('join.intro')), facts,
    !named && field(t('start.name'), userName), secret, more, alert, submit)

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault()
    // The attribute disabled would remove the focus.
    if (submit.hasAttribute('aria-disabled')) return
    submit.setAttribute('aria-disabled', 'true')
    fill(alert)
    password.removeAttribute('aria-invalid')
    try {
      joined(await ui.client.joinRoom({
        roomId, key, username: userName.value.trim() || undefined,
        password: secret.hidden ? undefined : password.value,
      }))
    } catch (error) {
      if (failed(error)) return
      submit.removeAttribute('aria-disabled')
      fill(alert, errorText(error, t, language))
      if (codeOf(error) === 'wrong_password') {
        password.setAttribute('aria-invalid', 'true')
        password.select()
      }
    }
  }

  return {
    node: h('div', { class: 'view start', 'data-view': 'join' }, h('div', { class: 'card' }, form)),
    focus: () => {
      if (!named && (userName.value === '' || !info.passwordRequired)) userName.focus()
      else if (info.passwordRequired) password.focus()
      else submit.focus()
    },
  }
}
