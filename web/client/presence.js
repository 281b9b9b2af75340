// Who is in a room at the moment, as far as one is told.

/** The users who are online. */
export class Presence {
  /** @type {Set<string>} their names; of a crowd, those that one has been told */
  names = new Set()
  /** How many they are. */
  count = 0

  // Whether everybody has been named. In a crowd of more than 100, and until the
  // next welcome after that, only the count is told.
  #complete = true

  /**
   * @param {string[]} names
   * @param {number} count
   */
  reset(names, count) {
    this.names = new Set(names)
    this.count = count
    this.#complete = this.names.size === count
  }

  /** @param {string} userId */
  join(userId) {
    this.names.add(userId)
    this.count = this.#complete ? this.names.size : this.count + 1
  }

  /** @param {string} userId */
  leave(userId) {
    this.names.delete(userId)
    this.count = this.#complete ? this.names.size : Math.max(1, this.count - 1)
  }

  /** @param {number} count of a crowd */
  crowd(count) {
    this.count = count
    this.#complete = false
  }
}
