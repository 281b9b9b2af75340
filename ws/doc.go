// Package ws is the WebSocket side of ephemeral chat: it joins connections to
// rooms and fans the events of each room out to its connections.
//
// # Protocol
//
// Frames are UTF-8 JSON objects with a type. A connection begins with a join:
//
//	client                              server
//	  ── join ──────────────────────────▶  checks the session
//	  ◀───────────────────────── welcome ──  state of the room, newest messages
//	  ◀────────────────────────── replay ──  more of them, after a long absence
//	  ── message, retract, history, typing, ping ─▶
//	  ◀─ message, retracted, history, joined, left, online, typing, started,
//	     locked, gap, ack, error, pong ─────
//	  ◀──────────── removed, ended, close ──
//
// The join may stand in the query of the request instead; then it is refused
// by an HTTP status before the upgrade.
//
// # Structure
//
// A Hub holds one liveRoom for each room that has connections on this node. A
// liveRoom follows its room through a room.Feed: events are queued by the
// store, drained by one goroutine at a time, turned into frames once, and the
// frames put into the queue of each connection. Then the same goroutine writes to
// each socket what it takes without waiting. A conn is one goroutine that reads,
// plus one that writes while the socket has not taken all that is queued.
//
// Invariants, for whoever changes the code:
//
//   - Under liveRoom.mu, Hub.mu or conn.mu may be taken, and nothing else is
//     nested. No I/O and no call of the store happens under any of them;
//     closing a TLS connection is I/O.
//   - What is told to a connection goes through its queue, and welcome is the
//     first frame in it.
//   - Whoever has set conn.writing is the only one who writes to the socket, until
//     it finds the queue empty.
//   - A connection is in one of two states: live, and every message above its
//     cursor is put into its queue by the fan-out; or behind, and its replay
//     goroutine reads what follows the cursor from the store. The change from
//     one to the other happens under liveRoom.mu.
//   - liveRoom.retracted is brought up to date under mu, in the order of events. What
//     was read from the store is put into a queue under mu too, and without the
//     texts of these messages (redact): whoever is given it afterwards would not be
//     told of them again. A connection that is behind is not told of what it has
//     not been given.
//   - A user counts as gone from this node only 3 s after its last connection.
package ws
