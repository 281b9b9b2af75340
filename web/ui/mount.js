/**
 * The mount point of the chat, with a slash at its end. It is relative to the bundle
 * in assets/<hash>/, whichever page has imported that. The endpoints, the WebSocket
 * and the page are below it.
 */
export const mount = new URL('../../', import.meta.url)
