/**
 * An EventTarget with typed events, each a CustomEvent.
 *
 * @template {object} Events from the name of an event to its `detail`
 */
export class Emitter extends EventTarget {
  /**
   * Calls a listener with the detail of each event of a type.
   *
   * @template {keyof Events & string} Type
   * @param {Type} type
   * @param {(detail: Events[Type]) => void} listener
   * @param {{ signal?: AbortSignal, once?: boolean }} [options]
   * @returns {() => void} removes the listener
   */
  on(type, listener, options) {
    const call = (/** @type {Event} */ event) => listener(/** @type {CustomEvent<Events[Type]>} */ (event).detail)
    this.addEventListener(type, call, options)
    return () => this.removeEventListener(type, call)
  }

  /**
   * @template {keyof Events & string} Type
   * @param {Type} type
   * @param {Events[Type]} detail
   */
  emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })) }
}
