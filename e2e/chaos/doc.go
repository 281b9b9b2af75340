// Package chaos tests the module under faults: several Caddy processes share Redis,
// hundreds of clients that follow the protocol post in rooms that come and go, and a
// nemesis injects faults at random, from a seed. A checker compares what all clients
// received, and what Redis stores.
//
// The parts:
//
//   - a topology runs the Redis servers, and lists the faults that it can suffer and
//     those that may lose messages;
//   - TCP proxies between all processes reset, delay, drop and refuse;
//   - a node is a Caddy process;
//   - a client follows "Writing a client" of docs/protocol.md. Its history checks
//     each frame for violations of the protocol;
//   - a room is its clients, and the union of their histories;
//   - the workload creates rooms, posts, joins, leaves, removes and deletes;
//   - the nemesis injects faults; the journal records faults and violations.
//
// An experiment is a sequence of rounds: faults for a while, then quiet. Within 20 s
// of quiet, every client must be connected again, have every message, and list all
// others as online.
//
// The package imports nothing of the module that it tests but redisstore/redistest,
// which runs Redis. It reads in Redis what docs/redis.md describes. It needs Linux,
// for /proc.
package chaos
