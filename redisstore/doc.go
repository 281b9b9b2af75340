// Package redisstore stores rooms in Redis, where all nodes of a site find them.
// docs/redis.md describes the keys. Rules of the package:
//
//   - Each write is one Lua script (package script). A script that finds no room:<id>
//     creates nothing, so nothing outlives its room or comes back after it.
//   - All keys of a room share one deadline. They have no expiry before it is set; a
//     key that is created later gets it at once.
//   - A call fails with room.ErrUnavailable and is not retried: a write that was cut off
//     may have happened. Messages have ids, so that clients can safely resend them.
//   - A command is sent once, to the server that holds its key (package client). Posts
//     share round trips (package pipeline).
//
// One connection (package pubsub) is subscribed to the channels of all rooms that the
// node watches. A script publishes its event in the same step as its write, so the
// channel has the order of the writes. A message is published as the finished frame,
// which nodes do not decode.
//
// A feed begins with a resync: it subscribes, waits for the confirmation, then reads the
// room with a script that publishes a marker. Events before the marker are part of the
// snapshot, events after it are not. It resyncs again whenever it may have missed an
// event: the connection was lost, a number is missing, a script found no room, or Redis
// has lost the lease of the node. In a resync the feed repairs data that it knows and
// Redis has lost (the deadline, removals, retractions, presence), and detects lost
// messages by a lower number or another fingerprint.
//
// Presence (presence.go, online.go, liveness.go) is the set of users online through
// each node. An entry counts while its node has a lease.
package redisstore
