// The style sheets of the element, made once for all that there are.

import { base } from './style-base.js'
import { room } from './style-room.js'
import { views } from './style-views.js'

/** @type {CSSStyleSheet[] | null} */
let sheets = null

/** Returns them, for a shadow root to adopt. */
export function styles() {
  sheets ??= [base, views, room].map(text => {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(text)
    return sheet
  })
  return sheets
}
