// What a browser remembers of a room: who one is in it, and until when. Never
// what is said, nor the key of a private room.

/**
 * @typedef {object} Identity
 * @property {string} userId
 * @property {string} sessionId
 * @property {number | null} expiresAt milliseconds since 1970 by the store's
 *   clock, null if the room had not started
 */

/** The identities of one mount point in a `Storage`. */
export class Stored {
  /**
   * @param {Storage | null} storage null remembers nothing
   * @param {URL} base the mount point: others on the same origin are others
   */
  constructor(storage, base) {
    this.storage = storage
    this.prefix = `ephemeral-chat ${base.href} `
  }

  /**
   * @param {string} roomId
   * @returns {Identity | null}
   */
  get(roomId) {
    return this.#guard(storage => {
      const value = JSON.parse(storage.getItem(this.prefix + roomId) ?? 'null')
      if (typeof value?.userId !== 'string' || typeof value.sessionId !== 'string') return null
      const expiresAt = typeof value.expiresAt === 'number' ? value.expiresAt : null
      return { userId: value.userId, sessionId: value.sessionId, expiresAt }
    })
  }

  /**
   * @param {string} roomId
   * @param {Identity} identity
   */
  put(roomId, { userId, sessionId, expiresAt }) {
    this.#guard(storage => storage.setItem(this.prefix + roomId, JSON.stringify({ userId, sessionId, expiresAt })))
  }

  /**
   * Forgets who one is in a room. With a `userId` it does so only if that is who:
   * another tab may have become somebody else.
   *
   * @param {string} roomId
   * @param {string} [userId]
   */
  forget(roomId, userId) {
    if (userId !== undefined && (this.get(roomId)?.userId ?? userId) !== userId) return
    this.#guard(storage => storage.removeItem(this.prefix + roomId))
  }

  /** @returns {string[]} the ids of the rooms that are remembered */
  rooms() {
    return this.#guard(storage => {
      const ids = []
      for (let i = 0; i < storage.length; i++) {
        const name = storage.key(i)
        if (name?.startsWith(this.prefix)) ids.push(name.slice(this.prefix.length))
      }
      return ids
    }) ?? []
  }

  /**
   * A browser may refuse storage, or have none left. Then one is somebody new
   * after a reload, which is better than not being able to talk.
   *
   * @template T
   * @param {(storage: Storage) => T} use
   * @returns {T | null}
   */
  #guard(use) {
    if (this.storage === null) return null
    try {
      return use(this.storage)
    } catch {
      return null
    }
  }
}
