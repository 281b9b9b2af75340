/**
 * A message of a room.
 *
 * @typedef {object} Message
 * @property {number} seq its number in the room, from 1
 * @property {string} userId the sender
 * @property {string} text empty if it is retracted or undecipherable
 * @property {number} timestamp when, in milliseconds since 1970 by the store's clock
 * @property {boolean} mine whether this user sent it, here or in another tab
 * @property {boolean} retracted whether it was retracted
 * @property {import('./encryption.js').Sealed} [sealed] in private rooms: how far to trust it
 * @property {number} [id] if this `Room` sent it: its id while it was pending
 */

/** The newest messages of a room, in order, without gaps or duplicates. */
export class MessageLog {
  /** @type {Message[]} ascending by seq */
  messages = []
  /** Whether the room has messages older than the first of these. */
  more = false

  /** @param {number} capacity the largest number of messages */
  constructor(capacity) { this.capacity = capacity }

  /** The number of the first message, 0 without messages. */
  get first() { return this.messages[0]?.seq ?? 0 }

  /** Whether the log has no space for older messages. */
  get full() { return this.messages.length >= this.capacity }

  /**
   * Replaces all messages.
   *
   * @param {Message[]} messages
   * @param {boolean} more
   */
  reset(messages, more) {
    this.messages = messages
    this.more = more
  }

  /**
   * Adds messages after the last, and returns the oldest ones if they had to be
   * dropped: a tenth of the capacity more than necessary, so that it happens rarely.
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
   * Adds messages before the first, and returns those that are new.
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
   * Retracts a message.
   *
   * @param {number} seq
   * @returns {Message | null} null if it is not in the log, or was retracted before
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
    // The numbers have no gaps.
    return this.messages[seq - this.first] ?? null
  }
}
