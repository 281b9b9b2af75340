// Package lab is a laboratory of faults: several Caddy processes that share a
// Redis topology, proxies between all of them, and hundreds of light clients that
// behave as the protocol asks. While these talk in rooms that come and go, faults
// are injected at random, from a seed; what every client is told is compared with
// what the others are told and with what Redis has in the end.
//
// The parts:
//
//   - a topology (standalone, sentinel, cluster) runs the Redis servers and says
//     which faults they can suffer and what may be lost by them;
//   - a link is a TCP proxy that resets, delays, silences and refuses;
//   - a node is a Caddy process;
//   - a client keeps to "Writing a client" of docs/protocol.md and notes at once
//     what no server may do to it;
//   - a chat is a room with its clients, and what they have seen taken together;
//   - the schedule injects faults, the journal notes them and the violations.
//
// Time goes in rounds: faults for a while, then quiet. When it is quiet, every
// client must be back, have everything, and know who else is there, within 20 s.
//
// It imports nothing of the module that it tests. What it reads in Redis is what
// docs/redis.md describes. It needs Linux, for /proc.
package chaos
