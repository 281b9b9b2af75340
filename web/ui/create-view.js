import { field, textInput, toggle } from './controls.js'
import { fill, h, unique } from './dom.js'
import { duration, errorText } from './format.js'

/** The lifetimes to choose from, in seconds. */
const lifetimes = [600, 3600, 8 * 3600, 86_400, 7 * 86_400]

/**
 * Makes the form that creates a room. All fields have a default, so one click is
 * enough.
 *
 * @param {import('./controls.js').Ui} ui
 * @param {object} options
 * @param {number | null} options.ttl the default lifetime, in seconds
 * @param {number | null} options.maxTTL the longest lifetime, in seconds
 * @param {string} options.name of the user, empty if unknown
 * @param {boolean} options.named whether the site names its users
 * @param {(room: import('../client/client.js').Room) => void} options.created
 * @returns {import('./controls.js').View}
 */
export function createView(ui, { ttl, maxTTL, name, named, created }) {
  const { t, language } = ui
  const max = maxTTL ?? 86_400
  const chosen = Math.min(ttl ?? 3600, max)
  const choices = [...new Set([...lifetimes.filter(lifetime => lifetime <= max), chosen])].sort((a, b) => a - b)

  const roomName = textInput('room', { maxlength: 100, placeholder: t('start.roomDefault'), autocomplete: 'off' })
  const userName = textInput('name', { maxlength: 32, placeholder: t('start.nameHint'), autocomplete: 'nickname', value: name })
  const password = textInput('password', { type: 'password', maxlength: 1024, autocomplete: 'new-password', placeholder: t('start.passwordField'), 'aria-label': t('start.passwordField') })
  const sealed = h('input', { type: 'checkbox', name: 'private', disabled: !globalThis.isSecureContext })
  const guarded = h('input', { type: 'checkbox', name: 'guarded' })
  const alert = h('p', { class: 'alert', role: 'alert' })
  const submit = h('button', { class: 'primary wide', part: 'button' }, t('start.submit'))

  const chips = choices.map(length => {
    const radio = h('input', { type: 'radio', name: 'ttl', value: length, checked: length === chosen })
    return { radio, label: h('label', null, radio, h('span', null, duration(length, language, 'short'))) }
  })
  const mark = () => chips.forEach(({ radio, label }) => label.classList.toggle('on', radio.checked))
  mark()

  const keep = h('div', { hidden: true }, password)
  guarded.addEventListener('change', () => {
    keep.hidden = !guarded.checked
    if (guarded.checked) password.focus()
  })

  const hint = unique('hint')
  const form = h('form', { part: 'form', novalidate: true, 'data-form': 'create', on: { change: mark, submit: send } },
    h('h2', null, t('start.title')),
    h('div', { class: named ? null : 'pair' }, !named && field(t('start.name'), userName), field(t('start.room'), roomName)),
    h('fieldset', { class: 'field', 'aria-describedby': hint },
      h('legend', { class: 'legend' }, t('start.ttl')),
      h('div', { class: 'chips' }, ...chips.map(({ label }) => label)),
      h('span', { class: 'hint', id: hint }, t('start.ttlHint'))),
    h('div', { class: 'options' },
      toggle(t('start.private'), t(globalThis.isSecureContext ? 'start.privateHint' : 'start.privateNeedsHttps'), sealed),
      toggle(t('start.password'), t('start.passwordHint'), guarded), keep),
    alert, submit)

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault()
    // The attribute disabled would remove the focus.
    if (submit.hasAttribute('aria-disabled')) return
    submit.setAttribute('aria-disabled', 'true')
    fill(alert)
    try {
      created(await ui.client.createRoom({
        roomName: roomName.value.trim() || t('start.roomDefault'),
        username: userName.value.trim() || undefined,
        password: guarded.checked && password.value !== '' ? password.value : undefined,
        ttl: Number(chips.find(({ radio }) => radio.checked)?.radio.value ?? chosen),
        private: sealed.checked,
      }))
    } catch (error) {
      fill(alert, errorText(error, t, language))
      submit.removeAttribute('aria-disabled')
    }
  }

  const slot = h('slot', { name: 'intro' })
  const node = h('div', { class: 'view start', 'data-view': 'start' }, slot, h('div', { class: 'card' }, form))
  const arrange = () => node.classList.toggle('with-intro', slot.assignedElements().length > 0)
  slot.addEventListener('slotchange', arrange)
  return { node, focus: () => (named ? roomName : userName).focus() }
}
