import { ChatError } from './chat-error.js'

/**
 * @typedef {object} Request
 * @property {string} name `history`, or `retract` with a number
 * @property {(answer: any) => any} take
 * @property {(value: any) => void} resolve
 * @property {(error: ChatError) => void} reject
 */

/**
 * Requests over the WebSocket that the server has yet to answer. It answers those of
 * one name in order, and an answer does not identify its request.
 */
export class Requests {
  /** @type {Request[]} the oldest first */
  #open = []

  /**
   * Adds a request.
   *
   * @template T
   * @param {string} name
   * @param {(answer: any) => T} take gets the answer before the session handles any
   *   later frame
   * @returns {Promise<T>} the result of take
   */
  add(name, take) {
    return new Promise((resolve, reject) => this.#open.push({ name, take, resolve, reject }))
  }

  /**
   * Resolves the oldest request of this name, if any.
   *
   * @param {string} name
   * @param {any} answer
   */
  answer(name, answer) {
    const request = this.#shift(name)
    request?.resolve(request.take(answer))
  }

  /**
   * Rejects the oldest request of this name, if any.
   *
   * @param {string} name
   * @param {ChatError} error
   */
  refuse(name, error) { this.#shift(name)?.reject(error) }

  /** Rejects all requests: their connection is lost. */
  lost() {
    for (const { reject } of this.#open.splice(0)) reject(new ChatError('network', 'connection lost'))
  }

  /** @param {string} name */
  #shift(name) {
    const at = this.#open.findIndex(request => request.name === name)
    return at < 0 ? undefined : this.#open.splice(at, 1)[0]
  }
}
