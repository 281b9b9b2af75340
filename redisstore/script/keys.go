package script

import (
	"strconv"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Keyspace makes the names of all keys and channels. All instances of a room have the
// same keys, because only one exists at a time; each has its own channel, so that no
// subscriber gets events of another one. In a cluster, Tagged adds a hash tag (the id of
// the room, or the word lobby), which keeps the keys of one script on one server.
type Keyspace struct {
	Prefix string
	Tagged bool
}

// Keys are the names that belong to one instance of a room.
type Keys struct {
	InstanceID string
	// Channel is the channel of the room's events.
	Channel string

	// instance is the name of the instance, which each script compares with the
	// room's; empty for a room that is not a declared one.
	instance string
	// names are room, messages, roomUser, online, sent, names and retracted: KEYS[1] to
	// KEYS[7] of each script on a room, except post, which has the first postKeys.
	names []string
}

// Room returns the key of the room itself, which is on the same server as all others.
func (k Keys) Room() string { return k.names[0] }

// Room returns the names of an instance.
func (s Keyspace) Room(instanceID string) Keys { return s.names(instanceID, len(kinds)-1) }

// kinds are the beginnings of the names: of the channel, and of the keys in their order.
var kinds = [...]string{
	"room:events:", "room:", "room:messages:", "room:roomUser:", "room:online:", "room:sent:", "room:names:", "room:retracted:",
}

// names makes the names of the channel and the first n keys, in one allocation: it is
// on the path of each message.
func (s Keyspace) names(instanceID string, n int) Keys {
	id, instance := room.SplitInstanceID(instanceID)
	var b strings.Builder
	b.Grow((1+n)*(len(s.Prefix)+len("room:messages:{}")+len(id)) + len(instanceID))
	var ends [len(kinds)]int
	for i, kind := range kinds[:1+n] {
		b.WriteString(s.Prefix)
		b.WriteString(kind)
		if s.Tagged {
			b.WriteByte('{')
			b.WriteString(id)
			b.WriteByte('}')
		} else {
			b.WriteString(id)
		}
		if i == 0 && instance != "" {
			b.WriteString(instanceID[len(id):])
		}
		ends[i] = b.Len()
	}
	all, begin := b.String(), 0
	names := make([]string, 1+n)
	for i, end := range ends[:1+n] {
		names[i] = all[begin:end]
		begin = end
	}
	return Keys{InstanceID: instanceID, Channel: names[0], instance: instance, names: names[1:]}
}

// Lease returns the key that exists while a node is alive.
func (s Keyspace) Lease(node string) string { return s.Prefix + "room:node:" + node }

// NodeChannel returns the channel of a node's probes. No id of a room has an @.
func (s Keyspace) NodeChannel(node string) string { return s.Prefix + "room:events:@" + node }

// Lobbies returns the key of the set of all lobby times.
func (s Keyspace) Lobbies() string { return s.lobbyKey("all") }

// lobby returns the keys of the list of rooms with a lobby time, in seconds, and of the
// set of all such times.
func (s Keyspace) lobby(seconds int64) []string {
	return []string{s.lobbyKey(strconv.FormatInt(seconds, 10)), s.Lobbies()}
}

func (s Keyspace) lobbyKey(name string) string {
	if s.Tagged {
		return s.Prefix + "room:{lobby}:" + name
	}
	return s.Prefix + "room:lobby:" + name
}
