// End-to-end encryption of private rooms. docs/protocol.md, "Private rooms",
// describes its guarantees and their limits.
//
// A sealed message is
//
//     eph1.<base64url of IV, ciphertext and tag>
//
// encrypted by AES-GCM (NIST SP 800-38D) with the room's key of 256 bits, a random
// IV of 96 bits and a tag of 128 bits. The associated data binds it to the version,
// the room and the sender: it does not open in another room or under another name.

import { ChatError } from './chat-error.js'

const PREFIX = 'eph1.'
const ENVELOPE = /^eph1\.[A-Za-z0-9_-]{38,}$/
const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The trust in a message of a private room. `open`: a holder of the key has encrypted
 * it. `plain`: not encrypted, so the server or anyone else may have written it.
 * `undecipherable`: the key is missing or wrong, or the message was altered.
 *
 * @typedef {'open' | 'plain' | 'undecipherable'} Sealed
 */

/**
 * The content of a message.
 *
 * @typedef {object} Content
 * @property {string} text empty if undecipherable
 * @property {Sealed} [sealed] absent in rooms without encryption
 */

/** Encrypts and decrypts with the key of a private room. */
export class RoomCipher {
  /**
   * @param {string} key
   * @param {CryptoKey} cryptoKey
   * @param {string} roomId
   */
  constructor(key, cryptoKey, roomId) {
    this.key = key
    this.cryptoKey = cryptoKey
    this.roomId = roomId
  }

  /**
   * Imports the key of a room.
   *
   * @param {string} key 43 characters of base64url
   * @param {string} roomId
   * @returns {Promise<RoomCipher>}
   * @throws {ChatError} `invalid_key` or `insecure_context`
   */
  static async from(key, roomId) {
    const bytes = fromBase64(key)
    if (bytes?.length !== KEY_BYTES) throw new ChatError('invalid_key')
    const cryptoKey = await subtle().importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
    return new RoomCipher(key, cryptoKey, roomId)
  }

  /**
   * Encrypts a message.
   *
   * @param {string} text
   * @param {string} userId the sender
   */
  async seal(text, userId) {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
    const sealed = new Uint8Array(await subtle().encrypt(this.#algorithm(iv, userId), this.cryptoKey, encoder.encode(text)))
    const envelope = new Uint8Array(IV_BYTES + sealed.length)
    envelope.set(iv)
    envelope.set(sealed, IV_BYTES)
    return PREFIX + toBase64(envelope)
  }

  /**
   * Decrypts a message, or returns a plain one as it is.
   *
   * @param {string} message
   * @param {string} userId the sender, as the server reports it
   * @returns {Promise<Content>}
   */
  async open(message, userId) {
    if (!ENVELOPE.test(message)) return { text: message, sealed: 'plain' }
    try {
      const bytes = fromBase64(message.slice(PREFIX.length))
      if (bytes === null) throw new ChatError('invalid_key')
      const algorithm = this.#algorithm(bytes.subarray(0, IV_BYTES), userId)
      const text = await subtle().decrypt(algorithm, this.cryptoKey, bytes.subarray(IV_BYTES))
      return { text: decoder.decode(text), sealed: 'open' }
    } catch {
      return { text: '', sealed: 'undecipherable' }
    }
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} iv
   * @param {string} userId
   */
  #algorithm(iv, userId) {
    // JSON separates the parts: its quoting is unambiguous.
    const additionalData = encoder.encode(JSON.stringify([PREFIX, this.roomId, userId]))
    return { name: 'AES-GCM', iv, additionalData, tagLength: TAG_BYTES * 8 }
  }
}

/**
 * Returns the content of a message that arrives where no key is known.
 *
 * @param {string} message
 * @returns {Content}
 */
export function withoutKey(message) {
  return ENVELOPE.test(message) ? { text: '', sealed: 'undecipherable' } : { text: message }
}

/**
 * Returns a new random key for a private room.
 *
 * @throws {ChatError} `insecure_context`
 */
export function newKey() {
  subtle()
  return toBase64(crypto.getRandomValues(new Uint8Array(KEY_BYTES)))
}

/**
 * Returns the longest text, in bytes, whose encrypted form fits into maxMessage.
 *
 * @param {number} maxMessage
 */
export function sealedLength(maxMessage) {
  return Math.max(0, Math.floor((maxMessage - PREFIX.length) * 3 / 4) - IV_BYTES - TAG_BYTES)
}

/**
 * Returns the length of a text in bytes of UTF-8, as the server measures it.
 *
 * @param {string} text
 */
export function byteLength(text) { return encoder.encode(text).length }

function subtle() {
  // Browsers provide it in secure contexts only.
  if (!globalThis.crypto?.subtle) throw new ChatError('insecure_context')
  return crypto.subtle
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer> | null} null if it is not base64url
 */
function fromBase64(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0))
  } catch {
    return null
  }
}
