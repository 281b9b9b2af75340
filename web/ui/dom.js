// Builds DOM without markup in strings: texts of users are never parsed as HTML, and
// the Content-Security-Policy and Trusted Types of any site allow it.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Attributes by name; `true` is an empty attribute, `false`, null and undefined
 * are none. `on` are listeners by event.
 * @typedef {Record<string, string | number | boolean | null | undefined | Record<string, (event: any) => void>> & {
 *   on?: Record<string, (event: any) => void>,
 * }} Props
 */

/**
 * An HTML element with attributes, listeners and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === false || value === null || value === undefined) continue
    if (name === 'on') {
      for (const [event, listener] of Object.entries(/** @type {Record<string, (event: any) => void>} */ (value))) {
        node.addEventListener(event, listener)
      }
    } else {
      node.setAttribute(name, value === true ? '' : String(value))
    }
  }
  append(node, children)
  return node
}

/**
 * @param {Node} node
 * @param {Child[]} children
 */
function append(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue
    node.appendChild(typeof child === 'string' ? document.createTextNode(child) : child)
  }
}

/**
 * Replaces all children.
 * @param {Element} node
 * @param {...Child} children
 */
export function fill(node, ...children) {
  node.textContent = ''
  append(node, children)
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...SVGElement} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value))
  node.append(...children)
  return node
}

let ids = 0

/**
 * An id that no other element of this document has.
 * @param {string} name
 */
export function unique(name) {
  ids += 1
  return `ec-${name}-${ids}`
}
