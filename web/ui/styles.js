import { base } from './style-base.js'
import { room } from './style-room.js'
import { views } from './style-views.js'

/** @type {CSSStyleSheet[] | null} */
let sheets = null

/** Returns the style sheets of the element, which all elements share. */
export function styles() {
  sheets ??= [base, views, room].map(text => {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(text)
    return sheet
  })
  return sheets
}
