// The module that other pages import for the element.

export { EphemeralChat } from './ui/element.js'
