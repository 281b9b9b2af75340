// Package room is the domain of ephemeral chat: rooms with a deadline, their
// members, and messages that vanish with them.
//
// It knows nothing of HTTP, WebSockets, Redis or Caddy. It has the values (Room,
// Session, Event), the rules (Rooms turns each request of a client into calls of
// a Store), and the contract of stores (Store, which package storetest checks).
// Package message encodes messages, package name cleans and compares names.
//
// # The time of a room
//
// A new room has no deadline. It starts when its admin starts the chat or with
// the first message, whichever comes first and exactly once; from then on the
// deadline is fixed. At the deadline, or when an admin deletes the room, all of
// it is gone. A room that never starts ends when its lobby time is over.
package room
