// Package load implements the command chatload: chat clients that send messages at
// a rate or as fast as the server delivers them, sit idle, or connect all at once.
//
// It shares only the protocol with the server, behind the interface Protocol, so
// that the same clients can measure other servers.
//
// # Measurement
//
// Each message carries the time at which its sender wrote it to the socket. A
// delivery is the arrival of a message at one member, the sender included; its
// latency ends when the read that brought it returns. The delay of senders that
// wake up too late is reported separately.
//
// The server numbers the messages of a room. A member that receives a number twice
// has got a duplicate. A missing number that arrives after a higher one is a
// reordered message. Numbers that are still missing at the end are lost.
//
// # Cost
//
// The clients share the machine with the server, so they are cheap: one read per
// arrival, no decoding of JSON, one clock reading per read, no allocation per
// message.
package load
