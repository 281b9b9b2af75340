package redisstore

import (
	"context"
	"sync"
)

// nodes are the other nodes that users of watched rooms are on.
type nodes struct {
	mu     sync.Mutex
	rooms  map[string]int // in how many feeds each occurs
	silent map[string]int // at how many looks in a row it was silent
}

func newNodes() *nodes {
	return &nodes{rooms: make(map[string]int), silent: make(map[string]int)}
}

// join and leave say that a node occurs in one feed more or less.
func (n *nodes) join(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rooms[node]++
}

func (n *nodes) leave(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rooms[node]--; n.rooms[node] <= 0 {
		delete(n.rooms, node)
		delete(n.silent, node)
	}
}

func (n *nodes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]string, 0, len(n.rooms))
	for node := range n.rooms {
		all = append(all, node)
	}
	return all
}

// deadLooks is at how many looks in a row a dead node is silent.
const deadLooks = 2

// note takes the result of a look and returns the nodes that are dead.
func (n *nodes) note(looked []string, silent map[string]bool) (dead []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range looked {
		if !silent[node] {
			delete(n.silent, node)
			continue
		}
		if n.rooms[node] == 0 {
			continue
		}
		if n.silent[node]++; n.silent[node] >= deadLooks {
			dead = append(dead, node)
		}
	}
	return dead
}

// look finds nodes that have died and takes their users offline.
func (s *Store) look(ctx context.Context) error {
	others := s.nodes.all()
	if len(others) == 0 || !s.heart.steady() {
		return nil
	}
	silent, err := s.silent(ctx, others)
	if err != nil {
		return err
	}
	for _, node := range s.nodes.note(others, silent) {
		for _, f := range s.link.all() {
			if err := f.bury(ctx, node); err != nil {
				return err
			}
		}
	}
	return nil
}

// bury takes the users of a dead node offline, for all nodes.
func (f *feed) bury(ctx context.Context, node string) error {
	f.mu.Lock()
	users := f.online.usersOn(node)
	f.mu.Unlock()
	if len(users) == 0 {
		return nil
	}
	pairs := make([]pair, 0, len(users))
	for _, user := range users {
		pairs = append(pairs, pair{node: node, user: user})
	}
	if err := f.store.clear(ctx, f.keys, pairs); err != nil {
		return err
	}
	// Where another node was first, or Redis never knew of them, the channel
	// may have told it before this feed could hear it.
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || !f.live {
		return nil
	}
	for _, user := range users {
		f.disappear(node, user)
	}
	return nil
}
