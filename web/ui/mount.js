/**
 * The mount point of the chat, with a slash at its end. The endpoints, the
 * WebSocket and the page are found relative to it, whichever page has imported
 * this.
 */
export const mount = new URL('../../', import.meta.url);
