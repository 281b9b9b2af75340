package redisstore

import "slices"

// crowd is who is online in a room, and on which nodes.
type crowd struct {
	where  map[string][]string // nodes by user, few each
	counts map[string]int      // users by node
	fields int                 // pairs of user and node
}

// add reports whether the user was on no node.
func (c *crowd) add(node, userID string) bool {
	if c.where == nil {
		c.where, c.counts = make(map[string][]string), make(map[string]int)
	}
	nodes := c.where[userID]
	if slices.Contains(nodes, node) {
		return false
	}
	c.where[userID] = append(nodes, node)
	c.counts[node]++
	c.fields++
	return len(nodes) == 0
}

// remove reports whether the user was on this node and is on none now.
func (c *crowd) remove(node, userID string) bool {
	nodes := c.where[userID]
	i := slices.Index(nodes, node)
	if i < 0 {
		return false
	}
	c.fields--
	if c.counts[node]--; c.counts[node] == 0 {
		delete(c.counts, node)
	}
	if nodes = slices.Delete(nodes, i, i+1); len(nodes) > 0 {
		c.where[userID] = nodes
		return false
	}
	delete(c.where, userID)
	return true
}

func (c *crowd) contains(node, userID string) bool { return slices.Contains(c.where[userID], node) }

// on is how many users are on a node.
func (c *crowd) on(node string) int { return c.counts[node] }

// surplus is by how much the pairs outnumber the users.
func (c *crowd) surplus() int { return c.fields - len(c.where) }

func (c *crowd) has(userID string) bool { return len(c.where[userID]) > 0 }

// users returns everybody.
func (c *crowd) users() []string {
	users := make([]string, 0, len(c.where))
	for user := range c.where {
		users = append(users, user)
	}
	return users
}

// nodes returns the nodes that somebody is on.
func (c *crowd) nodes() []string {
	nodes := make([]string, 0, len(c.counts))
	for node := range c.counts {
		nodes = append(nodes, node)
	}
	return nodes
}

// usersOn returns who is on a node.
func (c *crowd) usersOn(node string) []string {
	var users []string
	for user, nodes := range c.where {
		if slices.Contains(nodes, node) {
			users = append(users, user)
		}
	}
	return users
}
