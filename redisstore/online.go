package redisstore

import (
	"context"
	"maps"
	"slices"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
)

// onlineSet is the set of users online in a room, and of the nodes of each.
type onlineSet struct {
	nodesOf map[string][]string // by user, few each
	usersOn map[string]int      // number of users by node
	entries int                 // pairs of user and node
}

// add returns true if the user was online through no node.
func (s *onlineSet) add(node, userID string) (first bool) {
	if s.nodesOf == nil {
		s.nodesOf, s.usersOn = make(map[string][]string), make(map[string]int)
	}
	nodes := s.nodesOf[userID]
	if slices.Contains(nodes, node) {
		return false
	}
	s.nodesOf[userID] = append(nodes, node)
	s.usersOn[node]++
	s.entries++
	return len(nodes) == 0
}

// remove returns true if the user was online through this node only.
func (s *onlineSet) remove(node, userID string) (last bool) {
	nodes := s.nodesOf[userID]
	i := slices.Index(nodes, node)
	if i < 0 {
		return false
	}
	s.entries--
	if s.usersOn[node]--; s.usersOn[node] == 0 {
		delete(s.usersOn, node)
	}
	if nodes = slices.Delete(nodes, i, i+1); len(nodes) > 0 {
		s.nodesOf[userID] = nodes
		return false
	}
	delete(s.nodesOf, userID)
	return true
}

func (s *onlineSet) has(userID string) bool { return len(s.nodesOf[userID]) > 0 }

// surplus is the number of entries beyond one per user.
func (s *onlineSet) surplus() int { return s.entries - len(s.nodesOf) }

// users returns all users.
func (s *onlineSet) users() []string {
	return slices.AppendSeq(make([]string, 0, len(s.nodesOf)), maps.Keys(s.nodesOf))
}

// list returns the entries of one node, or of all if node is "".
func (s *onlineSet) list(node string) (entries []script.PresenceEntry) {
	for userID, nodes := range s.nodesOf {
		for _, n := range nodes {
			if node == "" || n == node {
				entries = append(entries, script.PresenceEntry{Node: n, UserID: userID})
			}
		}
	}
	return entries
}

// readOnline reads the users online in a room, and deletes the entries of dead nodes.
func (p *presence) readOnline(ctx context.Context, k script.Keys) (*onlineSet, error) {
	entries, err := p.store.scripts.Online(ctx, k)
	if err != nil {
		return nil, err
	}
	dead, err := p.deadNodes(ctx, entries)
	if err != nil {
		return nil, err
	}
	online, stale := &onlineSet{}, []script.PresenceEntry(nil)
	for _, e := range entries {
		if dead[e.Node] {
			stale = append(stale, e)
		} else {
			online.add(e.Node, e.UserID)
		}
	}
	return online, p.store.scripts.Exit(ctx, k, stale...)
}

// deadNodes returns the other nodes in the entries that have no lease.
func (p *presence) deadNodes(ctx context.Context, entries []script.PresenceEntry) (map[string]bool, error) {
	var others []string
	for _, e := range entries {
		if e.Node != p.store.node && !slices.Contains(others, e.Node) {
			others = append(others, e.Node)
		}
	}
	return p.withoutLease(ctx, others)
}
