// The keyboard of a phone covers the page rather than making it smaller, where
// the page has no say in it: what is left is measured.

/**
 * Keeps the property --viewport of an element at the height that is seen.
 *
 * @param {HTMLElement} element
 * @returns {() => void} ends that
 */
export function followViewport(element) {
  const viewport = globalThis.visualViewport
  if (!viewport) return () => {}
  const follow = () => {
    // Pinched rather than covered: the page stays as it is.
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
