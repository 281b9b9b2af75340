package redisstore

import (
	"context"
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

func (s *onlineSet) contains(node, userID string) bool {
	return slices.Contains(s.nodesOf[userID], node)
}

func (s *onlineSet) has(userID string) bool { return len(s.nodesOf[userID]) > 0 }

// surplus is the number of entries beyond one per user.
func (s *onlineSet) surplus() int { return s.entries - len(s.nodesOf) }

// users returns all users.
func (s *onlineSet) users() []string {
	users := make([]string, 0, len(s.nodesOf))
	for userID := range s.nodesOf {
		users = append(users, userID)
	}
	return users
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
	entries, err := p.scripts.Online(ctx, k)
	if err != nil {
		return nil, err
	}
	live, stale, err := p.classify(ctx, entries)
	if err != nil {
		return nil, err
	}
	if err := p.scripts.Exit(ctx, k, stale...); err != nil {
		return nil, err
	}
	online := &onlineSet{}
	for _, e := range live {
		online.add(e.Node, e.UserID)
	}
	return online, nil
}

// classify separates the entries of living nodes from those of dead ones. After an
// outage it takes all nodes for alive, until each has been able to renew its lease.
func (p *presence) classify(ctx context.Context, entries []script.PresenceEntry) (live, stale []script.PresenceEntry, err error) {
	var others []string
	for _, e := range entries {
		if e.Node != p.node && !slices.Contains(others, e.Node) {
			others = append(others, e.Node)
		}
	}
	if len(others) == 0 || !p.isStable() {
		return entries, nil, nil
	}
	dead, err := p.withoutLease(ctx, others)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if dead[e.Node] {
			stale = append(stale, e)
		} else {
			live = append(live, e)
		}
	}
	return live, stale, nil
}
