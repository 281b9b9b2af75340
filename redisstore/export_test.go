package redisstore

import (
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// What tests outside of the package need of its inside.

// Crash ends a store as the death of its process would: nobody is told, and the
// node's key stays until it expires. Close must still be called.
func (s *Store) Crash() {
	s.cancel()
	_ = s.servers.close() // fails only if it is closed
}

// AddHook sees the store's commands.
func (s *Store) AddHook(h redis.Hook) {
	switch all := s.servers.(type) {
	case single:
		all.client.AddHook(h)
	case *clustered:
		all.cluster.OnNewNode(func(server *redis.Client) { server.AddHook(h) })
	}
}

// Node is the id of the node.
func (s *Store) Node() string { return s.node }

// DecodeEvent decodes a payload, and encodes what was understood of it.
func DecodeEvent(payload string) (kind, encoded string, err error) {
	e, err := decodeEvent([]byte(payload))
	if err != nil {
		return "", "", err
	}
	return e.Type, e.encode(), nil
}

// Clock is the estimate of the server's time.
type Clock struct{ *clock }

// NewClock returns a clock that knows nothing.
func NewClock() Clock { return Clock{newClock()} }

// Add notes a reply that says server, and took from sent to received.
func (c Clock) Add(server time.Time, sent, received time.Duration) { c.add(server, sent, received) }

// Local is the local time.
func (c Clock) Local() time.Duration { return c.local() }

// Now is the server's time.
func (c Clock) Now() time.Time { return c.now() }

// Posting is how many calls carry posts, and how many posts wait for one.
func (s *Store) Posting() (calls, waiting int) {
	s.posts.mu.Lock()
	defer s.posts.mu.Unlock()
	for _, b := range s.posts.all {
		b.mu.Lock()
		calls, waiting = calls+b.senders, waiting+len(b.waiting)
		b.mu.Unlock()
	}
	return calls, waiting
}

// Owe has a store tell Redis again whether a user is online through it.
func (s *Store) Owe(instanceID, userID string) { s.heart.owe(lifeUser{instanceID, userID}) }

// Scripts are those that a store runs for what it knows of a room, by name.
var Scripts = map[string]*redis.Script{
	"epoch": scriptEpoch.Script, "exit": scriptExit.Script, "reap": scriptReap.Script, "reenter": scriptReenter.Script,
	"remove": scriptRemove.Script, "resume": scriptResume.Script, "retract": scriptRetract.Script,
}

// DecodeSync runs what a feed reads its room with, and returns the room and the number
// of the oldest message.
func (s *Store) DecodeSync(instanceID string, ask []string) (room.Room, uint64, error) {
	answer, err := s.runTimed(s.ctx, scriptSync, s.keys.room(instanceID).keys)
	if err != nil {
		return room.Room{}, 0, err
	}
	if err := s.refusal(answer.status(), instanceID); err != nil {
		return room.Room{}, 0, err
	}
	r := reading{removed: make(map[string]bool)}
	err = r.decode(instanceID, answer, ask)
	return r.room, r.oldest, err
}

// Wiped is wiped.
func Wiped(conn net.Conn) net.Conn { return wiped(conn) }
