package redisstore

import (
	"sync"
	"time"
)

const (
	// departureTime is how long it is remembered that a user has gone: longer than a
	// master that was replaced goes on taking writes.
	departureTime = 30 * time.Second
	// maxDeparted bounds how many are.
	maxDeparted = 4096
)

// departed remembers users who are not online through this node any more, as Redis
// has been told lately. A master that takes over may not have heard it; and nobody
// else can know, where the node has no connection to the room left.
type departed struct {
	mu    sync.Mutex
	users []departure // the oldest first
}

type departure struct {
	who lifeUser
	at  time.Duration // local time
}

// add notes that a user has gone, at the local time now.
func (d *departed) add(who lifeUser, now time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := 0
	for old < len(d.users) && (now-d.users[old].at > departureTime || len(d.users)-old >= maxDeparted) {
		old++
	}
	d.users = append(d.users[old:], departure{who, now})
}

// since returns who has gone lately, and forgets them: they are owed.
func (d *departed) since(now time.Duration) []lifeUser {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []lifeUser
	for _, u := range d.users {
		if now-u.at <= departureTime {
			all = append(all, u.who)
		}
	}
	d.users = nil
	return all
}

// departAgain has Redis told again who has gone.
func (s *Store) departAgain() {
	for _, who := range s.departed.since(s.clock.local()) {
		s.heart.owe(who)
	}
}
