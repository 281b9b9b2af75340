// Package baseline is a chat server that does as little as a chat server can: rooms
// are never ended, nobody is checked, nothing is kept, bounded or counted, and of
// the protocol of ephemeral chat there is only what a load tool needs. What it
// costs is what the machine takes for the way in which it writes, its Mode.
package baseline
