/** The users online, as far as the server names them. */
export class Presence {
  /** @type {Set<string>} their names; above 100 users, only those that were named */
  names = new Set()
  /** The number of users online. */
  count = 0

  // Whether names has everyone. The server sends only the count above 100 users, and
  // the names again with the next welcome.
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

  /** @param {number} count of more than 100 users, sent without names */
  setCount(count) {
    this.count = count
    this.#complete = false
  }
}
