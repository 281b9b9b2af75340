// Our own icons, drawn on a grid of 24 with round strokes of 1.75.

import { svg } from './dom.js'

/** @type {Record<string, string>} */
const paths = {
  send: 'M12 19V6m-6 5.5L12 5.5l6 6',
  smile: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8.5 14.2c1 1.5 2.2 2.2 3.5 2.2s2.5-.7 3.5-2.2M9 9.6v.1M15 9.6v.1',
  people: 'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.8 19.5c.5-3.4 2.9-5.2 6.2-5.2s5.7 1.8 6.2 5.2M16 4.9a3.3 3.3 0 0 1 0 6.2M18 14.7c1.8.7 2.9 2.3 3.2 4.6',
  share: 'M12 15V3.8M7.8 7.5 12 3.5l4.2 4M6.5 11H5.8A1.8 1.8 0 0 0 4 12.8v5.9a1.8 1.8 0 0 0 1.8 1.8h12.4a1.8 1.8 0 0 0 1.8-1.8v-5.9a1.8 1.8 0 0 0-1.8-1.8h-.7',
  invite: 'M9.5 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M3.3 19.5c.5-3.4 2.9-5.2 6.2-5.2 1.6 0 3 .4 4.1 1.2M18 13.5v6M15 16.5h6',
  copy: 'M9 9.8A1.8 1.8 0 0 1 10.8 8h7.4A1.8 1.8 0 0 1 20 9.8v8.4a1.8 1.8 0 0 1-1.8 1.8h-7.4A1.8 1.8 0 0 1 9 18.2zM15.5 5A1.8 1.8 0 0 0 14 4H5.8A1.8 1.8 0 0 0 4 5.8v8.7a1.8 1.8 0 0 0 1.3 1.7',
  check: 'm5 12.8 4.6 4.4L19 7',
  close: 'm6 6 12 12M18 6 6 18',
  down: 'M12 5v13m6-5.5-6 6-6-6',
  lock: 'M6 10.8A1.8 1.8 0 0 1 7.8 9h8.4a1.8 1.8 0 0 1 1.8 1.8v7.4a1.8 1.8 0 0 1-1.8 1.8H7.8A1.8 1.8 0 0 1 6 18.2zM8.5 9V7a3.5 3.5 0 0 1 7 0v2M12 13.5v2.5',
  shield: 'M12 3.3 5 6v5.3c0 4.3 2.8 7.7 7 9.4 4.2-1.7 7-5.1 7-9.4V6zM9 12l2.2 2.2L15.2 10',
  key: 'M8.5 19a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9M11.8 11.3 19.5 3.8M16.5 6.8l2.5 2.5',
  sound: 'M4 9.8v4.4h3.2L12 18.3V5.7L7.2 9.8zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
  trash: 'M4.5 6.8h15M9.5 6.5V4.8c0-.6.4-1 1-1h3c.6 0 1 .4 1 1v1.7M6.5 7l.8 11.7c.1 1 .8 1.6 1.7 1.6h6c.9 0 1.6-.6 1.7-1.6L17.5 7M10.3 11v5.3M13.7 11v5.3',
  leave: 'M10 4H6.8A1.8 1.8 0 0 0 5 5.8v12.4A1.8 1.8 0 0 0 6.8 20H10M15.5 8l4 4-4 4M19 12h-9',
  back: 'M8.5 6 4 10.3l4.5 4.2M4.5 10.3H15a5 5 0 0 1 0 9.7h-3',
  clock: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 7.5V12l3 2',
  info: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 11v5.2M12 7.8v.1',
  retry: 'M19 12a7 7 0 1 1-2.2-5.1L19 9M19 4.5V9h-4.5',
  qr: 'M4.5 4.5h5.5v5.5H4.5zM14 4.5h5.5v5.5H14zM4.5 14h5.5v5.5H4.5zM14 14h2.5v2.5M19.5 14v.1M19.5 17v2.5H17M14 19.5v.1',
  offline: 'M3.5 3.5l17 17M8.8 15.6a5 5 0 0 1 6.4 0M5.3 12.2a9.6 9.6 0 0 1 4.1-2.3M13.8 9.7a9.6 9.6 0 0 1 4.9 2.5M2.5 8.7a14 14 0 0 1 4-2.4M11.2 5.2a14 14 0 0 1 10.3 3.5M12 19v.1',
}

/**
 * A decorative icon: a text beside it, or the label of its button, has its meaning.
 * @param {string} name
 */
export function icon(name) {
  return svg('svg', {
    viewBox: '0 0 24 24', class: `icon icon-${name}`, 'aria-hidden': 'true', fill: 'none', stroke: 'currentColor',
    'stroke-width': 1.75, 'stroke-linecap': 'round', 'stroke-linejoin': 'round',
  }, svg('path', { d: paths[name] ?? '' }))
}

/** The mark: a speech bubble whose outline comes apart. */
export function mark() {
  const dots = [[20.6, 12.6, 1.05], [19.4, 16, 0.95], [16.8, 18.5, 0.8], [13.6, 19.8, 0.6]]
  return svg('svg', { viewBox: '0 0 24 24', class: 'mark', 'aria-hidden': 'true' },
    svg('path', {
      d: 'M20.3 9.2A9 8.3 0 0 0 3 11.8c0 2 .7 3.8 1.9 5.2L4 20.8l4-1.5c.8.3 1.6.5 2.4.6',
      fill: 'none', stroke: 'currentColor', 'stroke-width': 2, 'stroke-linecap': 'round', 'stroke-linejoin': 'round',
    }),
    ...dots.map(([cx, cy, r]) => svg('circle', { cx, cy, r, class: 'ember' })),
    svg('path', { d: 'M8.3 11.8h.1M12 11.8h.1M15.7 11.8h.1', stroke: 'currentColor', 'stroke-width': 2.2, 'stroke-linecap': 'round' }))
}
