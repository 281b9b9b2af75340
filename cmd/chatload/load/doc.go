// Package load is what the command chatload is made of: clients of a chat, in
// rooms, who talk at a rate or as fast as they are answered, sit idle, or connect
// all at once, and what they observe.
//
// It shares nothing with the server but the protocol, and that only through a
// Dialect, so that other servers can be measured with the same clients.
//
// # What is measured
//
// Each message carries the time at which it was written to its sender's socket.
// A delivery is the arrival of a message at one member, the sender included; its
// latency is from that time to the return of the read that brought it. Lateness
// of the clients themselves (a sender that wakes up too late) is reported apart.
//
// Each message has a number in its room, given by the server. A member that sees
// a number twice has got a duplicate, one that sees a lower number after a higher
// one, which was missing until then, a reordered message; numbers that are still
// missing when everything has been waited for are lost.
//
// # What it costs
//
// The clients share the machine with what they measure, so they are kept cheap:
// one read per arrival, no decoding of JSON, one clock reading per read, and no
// allocation per message.
package load
