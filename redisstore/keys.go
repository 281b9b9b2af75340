package redisstore

import (
	"strconv"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// keyspace makes the names of all keys and channels. A room's keys are the same
// in all of its lives, of which no two are there at a time; each life has a
// channel of its own, so that nobody hears of another. On a cluster, a room's
// keys will have to share a slot; then the id becomes a hash tag here, and
// nowhere else.
type keyspace struct{ prefix string }

// roomKeys are the names that belong to one life of a room.
type roomKeys struct {
	// life is the name of the life, which each script compares with the room's;
	// empty for a room that is not a standing one.
	life string
	// keys are room, messages, roomUser, online, sent and retracted: KEYS[1] to
	// KEYS[6] of each script that is about a room, but for post.
	keys []string
	// channel is where the room's events are published.
	channel string
}

// room makes all names in one string: it is on the path of each message.
func (k keyspace) room(lifeID string) roomKeys {
	id, life := room.SplitLifeID(lifeID)
	kinds := [...]string{
		"room:", "room:messages:", "room:roomUser:", "room:online:", "room:sent:", "room:retracted:", "room:events:",
	}
	var b strings.Builder
	b.Grow(len(kinds)*(len(k.prefix)+len("room:retracted:")+len(id)) + len(lifeID))
	var ends [len(kinds)]int
	for i, kind := range kinds {
		b.WriteString(k.prefix)
		b.WriteString(kind)
		b.WriteString(id)
		if i == len(kinds)-1 && life != "" {
			b.WriteString(lifeID[len(id):])
		}
		ends[i] = b.Len()
	}
	all, begin := b.String(), 0
	names := make([]string, len(kinds))
	for i, end := range ends {
		names[i] = all[begin:end]
		begin = end
	}
	return roomKeys{life: life, keys: names[:6:6], channel: names[6]}
}

// node is set while a node is alive.
func (k keyspace) node(id string) string { return k.prefix + "room:node:" + id }

// lobby are the list of the rooms that may wait so many seconds, and the set of
// all such numbers.
func (k keyspace) lobby(seconds int64) []string {
	return []string{k.prefix + "room:lobby:" + strconv.FormatInt(seconds, 10), k.lobbies()}
}

func (k keyspace) lobbies() string { return k.prefix + "room:lobby:all" }

// onlineField names a user's presence on a node. Ids of nodes have no colon.
func onlineField(node, userID string) string { return node + ":" + userID }

func splitOnlineField(field string) (node, userID string, ok bool) { return strings.Cut(field, ":") }
