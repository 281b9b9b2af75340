// Package redisstore keeps rooms in Redis, where all nodes of a site find them.
//
// What is kept under which key is described in docs/redis.md. The package holds
// to a few rules:
//
//   - Each write is one script, in a file of its own under scripts. A script
//     that finds no room:<id> creates nothing, so nothing outlives its room or
//     comes back after it.
//   - All keys of a room share one deadline. Before it is set they have no
//     expiry; a key that comes into being later gets it at birth.
//   - A call fails with room.ErrUnavailable rather than being tried again: a
//     write that was cut off may have happened. Messages carry ids, so that
//     whoever sends them can safely repeat them.
//
// # Where Redis is
//
// Rooms are on one server, on the master that sentinels name, or on the masters of
// a cluster (servers). A command goes to the server that has its key, once: errors
// that leave open whether it was executed are the caller's. Each server has a
// batcher for posts (lanes). A beat through every server, expected back on the
// link, finds out what neither of them shows (pulse): that the link is connected
// to a server that is told nothing any more, or that a master was away.
//
// # How a node follows its rooms
//
// One connection (link) is subscribed to the channels of all rooms that the
// node watches. A script that changes a room publishes what it did in the same
// step, so the channel has the order of the writes. A message is published as
// the finished frame; nothing is decoded on its way.
//
// A feed begins with a synchronization: subscribe, wait for the confirmation,
// then read the room with a script that also publishes a mark. Whatever comes
// before that mark is part of what was read, whatever comes after it is not.
// The same happens whenever something may have been missed: the connection was
// lost, a number is missing, a script found no room, Redis has forgotten that
// the node is alive. What the node knows and Redis does not (a deadline, a
// removal, who is online) is then written again, and lost messages show as a
// number that is lower or as an entry that differs from what was told.
package redisstore
