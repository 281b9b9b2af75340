// Package e2e holds the end-to-end tests: real Caddy processes with the module built in,
// real Redis servers, clients of HTTP and WebSocket, and browsers.
//
//	harness   processes, proxy and clients that the tests share
//	api       the HTTP endpoints, limits, identity, mounts, the command
//	rooms     deadline, lobby, order and history of messages, removal, retraction
//	socket    the WebSocket by RFC 6455, members that do not read
//	faults    outages of Redis, reloads, restarts, killed nodes, load
//	client    the JavaScript client, in Node.js
//	browser   the page, in Chromium
//	attack    attacks, as docs/security.md lists them
//	privacy   logs and memory after the end of a room
//	build     xcaddy, Caddyfile.example, HTTPS by ACME, metrics and events
//	chaos     long runs with random faults
//
// It is a module of its own, so that its dependencies are not those of the module under
// test. Caddy is built with the race detector if the tests are (go test -race).
package e2e
