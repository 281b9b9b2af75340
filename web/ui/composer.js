import { iconButton } from './controls.js'
import { h, unique } from './dom.js'

const faces = '😀 😂 🥹 😊 😍 🤩 😎 🤔 🙃 😅 😉 😴 🥳 😭 😱 😡 🤯 🤷 👍 👎 👏 🙏 💪 🤝 👋 🙌 👀 💯 ❤️ 🎉 🔥 ✨ ⭐ 🚀 💡 ✅ ❌ ☕ 🍕 🌈 🌻 🐙'.split(' ')

/**
 * Makes the field for new messages, with buttons for emoji and sending.
 *
 * @param {import('./controls.js').Ui} ui
 * @param {object} handlers
 * @param {(text: string) => void} handlers.send
 * @param {() => void} handlers.typing
 */
export function composer(ui, { send, typing }) {
  const { t } = ui
  const id = unique('say')
  const input = h('textarea', {
    id, part: 'input', rows: 1, 'aria-label': t('say.label'), placeholder: t('say.placeholder'), dir: 'auto', autocapitalize: 'sentences', enterkeyhint: 'send',
  })
  // The mirror has the same text and gives the field its height without measuring.
  const mirror = h('div', { class: 'mirror', 'aria-hidden': 'true' }, ' ')
  const button = iconButton(t('say.send'), 'send', submit, { class: 'tool send', part: 'send', 'aria-disabled': 'true' })
  const smile = iconButton(t('say.emoji'), 'smile', () => (picker.hidden ? open() : close()), { 'aria-expanded': 'false', 'aria-haspopup': 'true' })
  const picker = h('div', { class: 'picker emoji-face', role: 'group', 'aria-label': t('say.emoji'), hidden: true })

  function changed() {
    mirror.textContent = `${input.value} `
    button.setAttribute('aria-disabled', String(input.value.trim() === ''))
  }

  function submit() {
    const text = input.value.replace(/\s+$/, '').replace(/^(?:[ \t]*\n)+/, '')
    input.focus()
    if (text === '') return
    input.value = ''
    changed()
    send(text)
  }

  function open() {
    if (picker.firstChild === null) {
      for (const face of faces) {
        picker.append(h('button', { type: 'button', on: { click: () => insert(face) } }, face))
      }
    }
    picker.hidden = false
    smile.setAttribute('aria-expanded', 'true')
    picker.querySelector('button')?.focus()
  }

  function close() {
    picker.hidden = true
    smile.setAttribute('aria-expanded', 'false')
  }

  /** @param {string} face */
  function insert(face) {
    close()
    input.setRangeText(face, input.selectionStart, input.selectionEnd, 'end')
    changed()
    input.focus()
  }

  input.addEventListener('input', () => {
    changed()
    if (input.value.trim() !== '') typing()
  })
  input.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return
    // On a phone Enter starts a new line, and the button sends.
    if (globalThis.matchMedia('(pointer: coarse) and (hover: none)').matches) return
    event.preventDefault()
    submit()
  })

  const node = h('div', { class: 'composer', part: 'composer' },
    h('div', null, picker, smile, h('div', { class: 'grow' }, input, mirror), button))
  node.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || picker.hidden) return
    event.stopPropagation()
    close()
    smile.focus()
  })
  node.addEventListener('focusout', event => {
    const next = /** @type {Node | null} */ (event.relatedTarget)
    if (!picker.hidden && next !== null && !picker.contains(next) && next !== smile) close()
  })

  return {
    node,
    focus: () => input.focus(),
    /** @param {boolean} on */
    enable: on => { input.disabled = !on },
  }
}
