package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/loopback"
)

// standalone is one server that writes everything to its disk before it answers,
// with a link for each node.
type standalone struct {
	server *redisServer
	wires  []*link
}

func (s *standalone) start(ctx context.Context, dir string, nodes int) error {
	port, err := loopback.FreePort(ctx)
	if err != nil {
		return err
	}
	if s.server, err = newRedisServer(ctx, dir, "redis", port, "appendfsync always"); err != nil {
		return err
	}
	for range nodes {
		wire, err := newLink(ctx, loopback.Address(port))
		if err != nil {
			return err
		}
		s.wires = append(s.wires, wire)
	}
	return nil
}

func (s *standalone) stop() {
	for _, wire := range s.wires {
		wire.close()
	}
	if s.server != nil {
		s.server.close()
	}
}

func (s *standalone) directive(node int) string { return "redis " + s.wires[node].address }

func (s *standalone) links() []*link { return s.wires }

func (s *standalone) pools() int { return 1 }

func (s *standalone) lossless() bool { return true }

func (s *standalone) tagged() bool { return false }

func (s *standalone) healthy(ctx context.Context) error { return s.server.ready(ctx) }

func (s *standalone) client(context.Context) (redis.UniversalClient, error) {
	return s.server.client, nil
}

func (s *standalone) keys(ctx context.Context) (map[string]struct{}, error) {
	all := make(map[string]struct{})
	return all, s.server.scan(ctx, all)
}

func (s *standalone) faults() []fault {
	return []fault{
		{kind: "redis-kill", weight: 4, on: "topology", inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			return crash(ctx, s.server, between(r, 0, 3*time.Second), note)
		}},
		{kind: "redis-hang", weight: 3, on: "topology", inject: func(ctx context.Context, r *rand.Rand, note func(string)) error {
			return freeze(ctx, s.server, between(r, 300*time.Millisecond, 4*time.Second), note)
		}},
	}
}

// crash kills a server and starts it again after a while.
func crash(ctx context.Context, s *redisServer, after time.Duration, note func(string)) error {
	note(fmt.Sprintf("kill -9 of %s, started again after %s", s.name, after.Round(time.Millisecond)))
	if err := s.kill(); err != nil {
		return err
	}
	pause(ctx, after)
	return s.start()
}

// freeze stops a server for a while.
func freeze(ctx context.Context, s *redisServer, length time.Duration, note func(string)) error {
	note(fmt.Sprintf("SIGSTOP of %s for %s", s.name, length.Round(time.Millisecond)))
	if err := s.hang(); err != nil {
		return err
	}
	pause(ctx, length)
	return s.wake()
}
