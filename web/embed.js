// What a page imports to have the element.

export { EphemeralChat } from './ui/element.js'
