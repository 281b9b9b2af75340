// The messages of a room that a client has at hand.

/**
 * A message that somebody has said.
 *
 * @typedef {object} Message
 * @property {number} seq its number in the room, from 1
 * @property {string} userId who said it
 * @property {string} text empty if it is retracted or undecipherable
 * @property {number} timestamp when, in milliseconds since 1970 by the store's clock
 * @property {boolean} mine whether this user said it, here or in another tab
 * @property {boolean} retracted whether it was taken back
 * @property {import('./encryption.js').Sealed} [sealed] in private rooms: how to take it
 * @property {number} [id] if it was said by this `Room`: the id of the `Pending`
 *   that it was
 */

/** Messages in order, without holes and without doubles. */
export class Transcript {
  /** @type {Message[]} ascending by seq */
  messages = []
  /** Whether the room keeps older messages than the first of these. */
  more = false

  /** @param {number} capacity how many messages are kept at hand at most */
  constructor(capacity) { this.capacity = capacity }

  /** The number of the first message, 0 if there is none. */
  get first() { return this.messages[0]?.seq ?? 0 }

  /** Whether nothing older can be added. */
  get full() { return this.messages.length >= this.capacity }

  /**
   * Begins anew with other messages.
   *
   * @param {Message[]} messages
   * @param {boolean} more
   */
  reset(messages, more) {
    this.messages = messages
    this.more = more
  }

  /**
   * Adds messages that follow the last, and returns those that had to make room for
   * them: a tenth more than need be, so that it does not happen with each.
   *
   * @param {Message[]} messages
   * @returns {Message[]}
   */
  append(messages) {
    this.messages.push(...messages)
    const excess = this.messages.length - this.capacity
    if (excess <= 0) return []
    this.more = true
    return this.messages.splice(0, excess + Math.floor(this.capacity / 10))
  }

  /**
   * Adds messages that precede the first, and returns those that are new.
   *
   * @param {Message[]} messages
   * @param {boolean} more
   */
  prepend(messages, more) {
    const first = this.first || Infinity
    const older = messages.filter(message => message.seq < first)
    this.messages.unshift(...older)
    this.more = more
    return older
  }

  /**
   * Takes a message back.
   *
   * @param {number} seq
   * @returns {Message | null} null if it is not here, or was taken back before
   */
  retract(seq) {
    const message = this.find(seq)
    if (message === null || message.retracted) return null
    message.retracted = true
    message.text = ''
    delete message.sealed
    return message
  }

  /**
   * @param {number} seq
   * @returns {Message | null}
   */
  find(seq) {
    // There are no holes.
    return this.messages[seq - this.first] ?? null
  }
}
