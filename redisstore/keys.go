package redisstore

import (
	"strconv"
	"strings"
)

// keyspace makes the names of all keys and channels. On a cluster, a room's
// keys will have to share a slot; then the id becomes a hash tag here, and
// nowhere else.
type keyspace struct{ prefix string }

// roomKeys are the names that belong to one room.
type roomKeys struct {
	// keys are room, messages, roomUser, online and sent: KEYS[1] to KEYS[5] of
	// each script that is about a room.
	keys []string
	// channel is where the room's events are published.
	channel string
}

func (k keyspace) room(id string) roomKeys {
	return roomKeys{
		keys: []string{
			k.prefix + "room:" + id,
			k.prefix + "room:messages:" + id,
			k.prefix + "room:roomUser:" + id,
			k.prefix + "room:online:" + id,
			k.prefix + "room:sent:" + id,
		},
		channel: k.prefix + "room:events:" + id,
	}
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
