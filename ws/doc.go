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
// The query of the request may hold the join instead; then an HTTP status refuses it
// before the upgrade.
//
// # Structure
//
// A Hub holds one hubRoom for each room that has connections on this node. The
// hubRoom follows its room through a room.Feed: the store puts events into its
// eventQueue; one goroutine at a time drains them, encodes the frames once, and queues
// them for each connection. Then the same goroutine writes to each socket as much as
// it accepts without blocking. A conn is one goroutine that reads, plus one that writes
// while the socket has not accepted the whole queue.
//
// Invariants:
//
//   - With hubRoom.mu held, Hub.mu or conn.mu may be locked; no other locks are
//     nested. No I/O and no store call happens under any of them; closing a TLS
//     connection is I/O.
//   - Every frame goes through the queue of its connection, and welcome is the first.
//   - The goroutine that has set conn.writing is the only writer of the socket, until
//     it finds the queue empty.
//   - A connection is either live: the fan-out queues every message above its cursor;
//     or behind: its replay goroutine reads the messages that follow the cursor from
//     the store. The change from one to the other happens under hubRoom.mu.
//   - hubRoom.retracted changes under mu, in the order of events. A page that was read
//     from the store is queued under mu too, without the texts of these messages
//     (redact), because its receiver gets no other notice of them. A connection that is
//     behind receives no retraction of messages beyond its cursor.
//   - A user has left this node only 3 s after its last connection.
package ws
