package client

import (
	"context"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	dialTimeout  = time.Second
	replyTimeout = 2 * time.Second
	// poolSize is the maximum number of commands in flight per server. One Redis core
	// is busy with far fewer.
	poolSize = 20
	// bufferSize is the size of each of a connection's two buffers, in bytes: a quarter
	// of the library's default. A pool refers to the buffers of up to poolSize
	// connections, and for a long time to those of as many that it has closed.
	bufferSize = 8 << 10
	// protocol is the RESP version: every server knows it, and no newer one is needed.
	protocol = 2
	// slotMapAge is the maximum age of the cached slot map of a cluster. An error that
	// suggests a topology change refreshes it at once.
	slotMapAge = 5 * time.Second
	// failoverDialTimeout includes the search for the master: a sentinel that has just
	// died does not answer, nor can it be connected to again, before another one is
	// asked. Then the client dials the master.
	failoverDialTimeout = replyTimeout + 3*dialTimeout
	// maxRedirects is how many redirections a command follows.
	maxRedirects = 3
)

// Open returns the servers of the options. It connects to none: the first command
// does.
func (o Options) Open() (Topology, error) {
	r, err := o.resolve()
	if err != nil {
		return nil, err
	}
	switch {
	case r.Cluster:
		config := r.config().Cluster()
		config.ClusterStateReloadInterval = slotMapAge
		// The library would ask for a table of commands to find the keys in them.
		config.DisableRoutingPolicies = true
		return &cluster{client: redis.NewClusterClient(config)}, nil
	case r.Sentinel.Master != "":
		// The library asks the sentinels for the master with each new connection, and
		// subscribes to one of them for changes, upon which it drops the connections to the
		// demoted master. The tracker handles those that it misses.
		//
		// DialTimeout includes that lookup. If dialing alone could take as long, the client
		// would hold on for good to a sentinel whose machine is gone, so Dialer is bounded by
		// dialTimeout.
		master := newMasterTracker(r)
		config := r.config().Failover()
		config.DialTimeout = failoverDialTimeout
		config.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return master.dial(ctx, network, addr, r.TLS)
		}
		return standalone{redis.NewFailoverClient(config), master}, nil
	default:
		config := r.config().Simple()
		config.Network = r.network
		return standalone{redis.NewClient(config), nil}, nil
	}
}

// config returns the settings that all topologies share:
//
//   - Nothing is sent twice (MaxRetries; sentOnce in a cluster): a call that was cut
//     off may have stored its message.
//   - Timeouts are short, and a dead address fails at the first attempt: a user is
//     waiting, and another server may have taken over.
//   - A context that is done ends the call.
//   - A new connection sends nothing but the login. CLIENT SETINFO and maintenance
//     notifications need permissions that are not needed otherwise.
func (o *Options) config() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.Sentinel.Master,
		SentinelUsername: o.Sentinel.Username, SentinelPassword: o.Sentinel.Password,
		Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		Protocol: protocol, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1, DialerRetries: 1, MaxRedirects: maxRedirects,
		DialTimeout: dialTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout, PoolTimeout: replyTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize, MaxActiveConns: poolSize,
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize,
	}
}
