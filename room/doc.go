// Package room is the domain of ephemeral chat: rooms that have a deadline,
// the members who may enter them, and the messages that vanish with them.
//
// It knows nothing of HTTP, WebSockets, Redis or Caddy. Three things live
// here: the values (Room, Session, Event and the bytes of a message), the
// rules (Rooms, which turns what a client asks for into calls on a Store), and
// the contract that every Store keeps (Store, checked by package storetest).
//
// # The time of a room
//
// A room is created without a deadline. It starts when its admin starts the
// chat or with the first message, whichever comes first and exactly once; from
// then on its deadline is fixed. At the deadline, or when the admin deletes
// it, everything about the room is gone. A room that is never started is
// reaped when its lobby time is over.
package room
