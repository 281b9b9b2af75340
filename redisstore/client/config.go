package redisstore

import (
	"context"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Each client gets the same settings, one by one, because the library has other
// defaults for each kind. They must differ from those in this:
//
//   - Nothing is sent twice (MaxRetries, and unrepeated in cluster.go): a call that
//     was cut off may have stored its message.
//   - A time-out is short, and a dead address is given up at the first attempt:
//     meanwhile somebody waits, and another server may have taken over.
//   - A context that is done ends the call.
//   - Connections forget what has gone over them (wipedConn).
//   - Nothing is sent on connecting but what logs in. CLIENT SETINFO and
//     notifications of maintenance need rights that are not needed otherwise.
const (
	dialTimeout  = time.Second
	replyTimeout = 2 * time.Second
	// poolSize is how many commands may be under way at a time, on each server.
	// One Redis core is busy with far fewer.
	poolSize = 20
	// bufferSize is that of each of the two buffers of a connection, in bytes. The
	// library's own is four times as much. The pool of each server refers to the
	// buffers of up to poolSize connections, and for long to those of as many that it
	// has closed.
	bufferSize = 8 << 10
	// protocol is a version of the protocol that any server knows, and nothing
	// here needs a newer one.
	protocol = 2
	// reloadEvery is how old may be what is known of who has which keys of a
	// cluster. An error that hints at a change has it looked up at once.
	reloadEvery = 5 * time.Second
	// lookupTimeout is how long it may take to find the master: a sentinel that has
	// just died does not answer, nor can it be connected to again, until another
	// one is asked. Then the master is connected to.
	lookupTimeout = replyTimeout + 3*dialTimeout
	// maxRedirects is how often a call follows keys to the server that has them now.
	maxRedirects = 3
)

// servers connects to nothing: that happens with the first call.
func (p *place) servers() servers {
	switch {
	case p.cluster:
		return newClustered(redis.NewClusterClient(p.clusterOptions()))
	case p.sentinel.Master != "":
		e := newElection(p)
		return single{redis.NewFailoverClient(p.failoverOptions(e)), e}
	default:
		return single{redis.NewClient(p.options()), nil}
	}
}

func (p *place) options() *redis.Options {
	o := &redis.Options{
		Network: p.network, Addr: p.addrs[0],
		Username: p.username, Password: p.password, DB: p.db, TLSConfig: p.tls,
		Protocol: protocol, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1, DialerRetries: 1,
		DialTimeout: dialTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout, PoolTimeout: replyTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize, MaxActiveConns: poolSize,
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize,
	}
	o.Dialer = wiping(o.NewDialer())
	return o
}

// failoverOptions are for whichever server the sentinels say is the master. The
// client asks them with each connection that it makes, and listens to one of them
// for word of another master, upon which it drops its connections to the old one.
// See election for those that it misses.
//
// DialTimeout includes asking. If that took as long as the single steps may, the
// client would hold on for good to a sentinel that is gone with its machine; so
// Dialer bounds the steps.
func (p *place) failoverOptions(e *election) *redis.FailoverOptions {
	return &redis.FailoverOptions{
		MasterName: p.sentinel.Master, SentinelAddrs: p.addrs,
		SentinelUsername: p.sentinel.Username, SentinelPassword: p.sentinel.Password,
		Username: p.username, Password: p.password, DB: p.db, TLSConfig: p.tls,
		Protocol: protocol, DisableIdentity: true, // it never asks for notifications of maintenance
		MaxRetries: -1, DialerRetries: 1,
		Dialer: wiping(func(ctx context.Context, network, addr string) (net.Conn, error) {
			return e.dial(ctx, network, addr, p.tls)
		}),
		DialTimeout: lookupTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout, PoolTimeout: replyTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize, MaxActiveConns: poolSize,
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize,
	}
}

func (p *place) clusterOptions() *redis.ClusterOptions {
	return &redis.ClusterOptions{
		Addrs:    p.addrs,
		Username: p.username, Password: p.password, TLSConfig: p.tls,
		Dialer:   wiping(redis.NewDialer(&redis.Options{DialTimeout: dialTimeout, TLSConfig: p.tls})),
		Protocol: protocol, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1, DialerRetries: 1,
		DialTimeout: dialTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout, PoolTimeout: replyTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize, MaxActiveConns: poolSize,
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize,
		MaxRedirects: maxRedirects, ClusterStateReloadInterval: reloadEvery,
		// The library would ask for a table of commands to find the keys in them.
		DisableRoutingPolicies: true,
	}
}
