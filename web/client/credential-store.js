/**
 * @typedef {object} Credentials
 * @property {string} userId
 * @property {string} sessionId
 * @property {number | null} expiresAt milliseconds since 1970 by the store's
 *   clock, null if the room had not started
 */

/** The user's credentials for each room, in a `Storage`. Messages and the keys of
 * private rooms are never stored. */
export class CredentialStore {
  /**
   * @param {Storage | null} storage null stores nothing
   * @param {URL} base the mount point; several on one origin don't mix
   */
  constructor(storage, base) {
    this.storage = storage
    this.prefix = `ephemeral-chat ${base.href} `
  }

  /**
   * @param {string} roomId
   * @returns {Credentials | null}
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
   * @param {Credentials} credentials
   */
  put(roomId, { userId, sessionId, expiresAt }) {
    this.#guard(storage => storage.setItem(this.prefix + roomId, JSON.stringify({ userId, sessionId, expiresAt })))
  }

  /**
   * Removes the credentials for a room. With a `userId` it removes only that user's:
   * another tab may have joined as another user since.
   *
   * @param {string} roomId
   * @param {string} [userId]
   */
  forget(roomId, userId) {
    if (userId !== undefined && (this.get(roomId)?.userId ?? userId) !== userId) return
    this.#guard(storage => storage.removeItem(this.prefix + roomId))
  }

  /** @returns {string[]} the ids of the rooms that have credentials */
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
   * Uses the storage, or returns null where the browser denies it or it is full. The
   * user is then a new member after a reload, which is better than no chat.
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
