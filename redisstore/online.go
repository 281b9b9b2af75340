package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// pair is a user's presence on a node, and the socketId that Redis has for it.
type pair struct{ node, user, socket string }

// pairsOf reads fields and values of room:online.
func pairsOf(fields reply) []pair {
	pairs := make([]pair, 0, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		if node, user, ok := splitOnlineField(fields.text(i)); ok {
			pairs = append(pairs, pair{node, user, fields.text(i + 1)})
		}
	}
	return pairs
}

// takeCensus reads who is online in a room. It takes away who was online
// through a node that is dead.
func (s *Store) takeCensus(ctx context.Context, k roomKeys) (*crowd, error) {
	all := redis.NewMapStringStringCmd(ctx, "hgetall", k.keys[3])
	if err := s.send(ctx, k.keys[3], all); err != nil {
		return nil, unavailable("census", err)
	}
	fields := all.Val()
	pairs := make([]pair, 0, len(fields))
	for field, socket := range fields {
		if node, user, ok := splitOnlineField(field); ok {
			pairs = append(pairs, pair{node, user, socket})
		}
	}
	living, dead, err := s.partByLife(ctx, pairs)
	if err != nil {
		return nil, err
	}
	if err := s.clear(ctx, k, dead); err != nil {
		return nil, err
	}
	c := &crowd{}
	for _, p := range living {
		c.add(p.node, p.user)
	}
	return c, nil
}

// partByLife parts the pairs of nodes that are alive from those of dead ones.
// While it is not certain that the living have been able to say so, all are
// taken to be alive.
func (s *Store) partByLife(ctx context.Context, pairs []pair) (living, dead []pair, err error) {
	foreign := make(map[string]bool)
	for _, p := range pairs {
		if p.node != s.node {
			foreign[p.node] = true
		}
	}
	if len(foreign) == 0 || !s.heart.steady() {
		return pairs, nil, nil
	}
	nodes := make([]string, 0, len(foreign))
	for node := range foreign {
		nodes = append(nodes, node)
	}
	silent, err := s.silent(ctx, nodes)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pairs {
		if silent[p.node] {
			dead = append(dead, p)
		} else {
			living = append(living, p)
		}
	}
	return living, dead, nil
}

// silent returns those of the nodes that do not say that they are alive.
func (s *Store) silent(ctx context.Context, nodes []string) (map[string]bool, error) {
	exist := make([]*redis.IntCmd, len(nodes))
	commands := make([]redis.Cmder, len(nodes))
	for i, node := range nodes {
		exist[i] = redis.NewIntCmd(ctx, "exists", s.keys.node(node))
		commands[i] = exist[i]
	}
	s.servers.pipeline(ctx, commands...)
	for _, command := range exist {
		if err := command.Err(); err != nil {
			s.servers.failed(ctx, err)
			return nil, unavailable("nodes", err)
		}
	}
	silent := make(map[string]bool)
	for i, node := range nodes {
		if exist[i].Val() == 0 {
			silent[node] = true
		}
	}
	return silent, nil
}

// clearBatch is how many users one call takes offline or brings back.
const clearBatch = 100

// clear takes pairs away that are still as they were read.
func (s *Store) clear(ctx context.Context, k roomKeys, pairs []pair) error {
	for len(pairs) > 0 {
		batch := pairs[:min(clearBatch, len(pairs))]
		pairs = pairs[len(batch):]
		args := make([]any, 0, 2+3*len(batch))
		args = append(args, k.channel, k.life)
		for _, p := range batch {
			args = append(args, onlineField(p.node, p.user), p.socket, encodeClosed(p.node, p.user))
		}
		if _, err := s.run(ctx, scriptExit, k.keys, args...); err != nil {
			return err
		}
	}
	return nil
}
