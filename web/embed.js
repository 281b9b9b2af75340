// What a page imports to have the element.

export { EphemeralChat } from './element.js'
