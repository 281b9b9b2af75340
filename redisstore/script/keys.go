package redisstore

import (
	"strconv"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// keyspace makes the names of all keys and channels. A room's keys are the same
// in all of its lives, of which no two are there at a time; each life has a
// channel of its own, so that nobody hears of another. Where it is tagged, names
// that a script is given together have a part in braces in common, by which a
// cluster keeps them on one server: the id of a room, or the word lobby.
type keyspace struct {
	prefix string
	tagged bool
}

// roomKeys are the names that belong to one life of a room.
type roomKeys struct {
	// life is the name of the life, which each script compares with the room's;
	// empty for a room that is not a standing one.
	life string
	// keys are room, messages, roomUser, online, sent, names and retracted: KEYS[1]
	// to KEYS[7] of each script that is about a room, but for post.
	keys []string
	// channel is where the room's events are published.
	channel string
}

// room makes all names.
func (k keyspace) room(instanceID string) roomKeys { return k.names(instanceID, len(kinds)-1) }

// kinds are what the names of a room begin with: of the channel, and of the keys
// in their order.
var kinds = [...]string{
	"room:events:", "room:", "room:messages:", "room:roomUser:", "room:online:", "room:sent:", "room:names:", "room:retracted:",
}

// names makes those of the channel and of so many keys, all in one string: it is on
// the path of each message.
func (k keyspace) names(instanceID string, keys int) roomKeys {
	id, life := room.SplitInstanceID(instanceID)
	var b strings.Builder
	b.Grow((1+keys)*(len(k.prefix)+len("room:messages:{}")+len(id)) + len(instanceID))
	var ends [len(kinds)]int
	for i, kind := range kinds[:1+keys] {
		b.WriteString(k.prefix)
		b.WriteString(kind)
		if k.tagged {
			b.WriteByte('{')
			b.WriteString(id)
			b.WriteByte('}')
		} else {
			b.WriteString(id)
		}
		if i == 0 && life != "" {
			b.WriteString(instanceID[len(id):])
		}
		ends[i] = b.Len()
	}
	all, begin := b.String(), 0
	names := make([]string, 1+keys)
	for i, end := range ends[:1+keys] {
		names[i] = all[begin:end]
		begin = end
	}
	return roomKeys{life: life, keys: names[1 : 1+keys : 1+keys], channel: names[0]}
}

// node is set while a node is alive.
func (k keyspace) node(id string) string { return k.prefix + "room:node:" + id }

// beat is the channel in which a node hears itself. No id of a room has an @.
func (k keyspace) beat(node string) string { return k.prefix + "room:events:@" + node }

// lobby are the list of the rooms that may wait so many seconds, and the set of
// all such numbers.
func (k keyspace) lobby(seconds int64) []string {
	return []string{k.inLobby(strconv.FormatInt(seconds, 10)), k.lobbies()}
}

func (k keyspace) lobbies() string { return k.inLobby("all") }

func (k keyspace) inLobby(name string) string {
	if k.tagged {
		return k.prefix + "room:{lobby}:" + name
	}
	return k.prefix + "room:lobby:" + name
}

// onlineField names a user's presence on a node. Ids of nodes have no colon.
func onlineField(node, userID string) string { return node + ":" + userID }

func splitOnlineField(field string) (node, userID string, ok bool) { return strings.Cut(field, ":") }
