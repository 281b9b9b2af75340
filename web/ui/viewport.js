/**
 * Sets the property --viewport of an element to the visible height. Some browsers let
 * the keyboard of a phone cover the page instead of resizing it.
 *
 * @param {HTMLElement} element
 * @returns {() => void} stops it
 */
export function followViewport(element) {
  const viewport = globalThis.visualViewport
  if (!viewport) return () => {}
  const follow = () => {
    // The user has zoomed in: the keyboard covers nothing.
    if (viewport.scale > 1.01) return
    const covered = globalThis.innerHeight - viewport.height
    if (covered > 1) {
      element.style.setProperty('--viewport', `${Math.round(viewport.height)}px`)
      globalThis.scrollTo(0, 0)
    } else {
      element.style.removeProperty('--viewport')
    }
  }
  viewport.addEventListener('resize', follow)
  return () => viewport.removeEventListener('resize', follow)
}
