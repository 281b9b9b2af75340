// What the server was asked over the WebSocket and has yet to answer. It answers
// in the order in which it was asked, but an answer does not name its question.

import { ChatError } from './chat-error.js'

/**
 * @typedef {object} Request
 * @property {string} name `history`, or `retract` with a number
 * @property {(answer: any) => any} take
 * @property {(value: any) => void} resolve
 * @property {(error: ChatError) => void} reject
 */

/** Requests of one connection after another. */
export class Requests {
  /** @type {Request[]} the oldest first */
  #open = []

  /**
   * Notes a request.
   *
   * @template T
   * @param {string} name
   * @param {(answer: any) => T} take is given the answer before any later frame is
   *   handled
   * @returns {Promise<T>} what take returns
   */
  add(name, take) {
    return new Promise((resolve, reject) => this.#open.push({ name, take, resolve, reject }))
  }

  /**
   * @param {string} name
   * @param {any} answer
   * @returns {boolean} whether it was asked for
   */
  answer(name, answer) {
    const request = this.#first(name)
    request?.resolve(request.take(answer))
    return request !== undefined
  }

  /**
   * @param {string} name
   * @param {ChatError} error
   * @returns {boolean} whether it was asked for
   */
  refuse(name, error) {
    const request = this.#first(name)
    request?.reject(error)
    return request !== undefined
  }

  /** Notes that there will be no answers. */
  lost() {
    for (const { reject } of this.#open.splice(0)) reject(new ChatError('network', 'connection lost'))
  }

  /** @param {string} name */
  #first(name) {
    const at = this.#open.findIndex(request => request.name === name)
    return at < 0 ? undefined : this.#open.splice(at, 1)[0]
  }
}
