package ephemeralchat_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// TestRedisOptions connects to Redis with each kind of address and option.
func TestRedisOptions(t *testing.T) {
	open := redistest.Start(t, redistest.Options{})
	guarded := redistest.Start(t, redistest.Options{Password: "se/cret"})
	socket := redistest.Start(t, redistest.Options{Unix: true})
	directory := t.TempDir()
	secret := filepath.Join(directory, "secret")
	if err := os.WriteFile(secret, []byte("se/cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CHAT_PASSWORD", "se/cret")
	t.Setenv("CHAT_REDIS", "redis://:se%2Fcret@"+guarded.Addr()+"/2")
	for name, test := range map[string]struct {
		store  string
		server *redistest.Server
		db     int
		keys   string
	}{
		"address":          {"redis " + open.Addr(), open, 0, "room:*"},
		"URL":              {"redis redis://" + open.Addr(), open, 0, "room:*"},
		"database":         {"redis " + open.Addr() + " {\ndb 3\n}", open, 3, "room:*"},
		"database in URL":  {"redis redis://" + open.Addr() + "/4", open, 4, "room:*"},
		"key prefix":       {"redis " + open.Addr() + " {\ndb 5\nkey_prefix chat:\n}", open, 5, "chat:room:*"},
		"socket":           {"redis " + socket.Addr(), socket, 0, "room:*"},
		"socket URL":       {"redis unix://" + socket.Addr(), socket, 0, "room:*"},
		"store redis":      {"store redis " + open.Addr() + " {\ndb 6\n}", open, 6, "room:*"},
		"password":         {"redis " + guarded.Addr() + " {\npassword se/cret\n}", guarded, 0, "room:*"},
		"user":             {"redis " + guarded.Addr() + " {\nusername default\npassword se/cret\n}", guarded, 0, "room:*"},
		"password in env":  {"redis " + guarded.Addr() + " {\npassword {env.CHAT_PASSWORD}\ndb 1\n}", guarded, 1, "room:*"},
		"password in file": {"redis " + guarded.Addr() + " {\npassword {file." + secret + "}\n}", guarded, 0, "room:*"},
		"all in env":       {"redis {env.CHAT_REDIS}", guarded, 2, "room:*"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "ephemeral_chat {\n"+test.store+"\n}")
			admin := s.Create(t)
			connection := test.server.Client().Conn()
			defer connection.Close()
			if err := connection.Select(t.Context(), test.db).Err(); err != nil {
				t.Fatal(err)
			}
			key := strings.TrimSuffix(test.keys, "*") + admin.Room
			if n, err := connection.Exists(t.Context(), key).Result(); err != nil || n != 1 {
				t.Errorf("no key %s in database %d: %v", key, test.db, err)
			}
		})
	}
}

func TestRedisOverTLS(t *testing.T) {
	certificates := redistest.NewCertificates(t)
	authority := certificates.CA
	address := redistest.Start(t, redistest.Options{TLS: certificates}).Addr()
	identity := "certificate " + certificates.Certificate + " " + certificates.Key
	for name, test := range map[string]struct {
		store string
		works bool
	}{
		"with its authority":   {"redis " + address + " {\ntls {\nca " + authority + "\n" + identity + "\n}\n}", true},
		"URL":                  {"redis rediss://" + address + " {\ntls {\nca " + authority + "\n" + identity + "\n}\n}", true},
		"its other name":       {"redis " + address + " {\ntls {\nca " + authority + "\n" + identity + "\nserver_name redis.test\n}\n}", true},
		"not its name":         {"redis " + address + " {\ntls {\nca " + authority + "\n" + identity + "\nserver_name other.test\n}\n}", false},
		"unknown authority":    {"redis " + address + " {\ntls {\n" + identity + "\n}\n}", false},
		"any authority":        {"redis " + address + " {\ntls {\n" + identity + "\ninsecure_skip_verify\n}\n}", true},
		"no client's identity": {"redis " + address + " {\ntls {\nca " + authority + "\n}\n}", false},
		"no encryption":        {"redis " + address, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "ephemeral_chat {\n"+test.store+"\n}")
			got := s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x"))
			if test.works {
				got.OK(t)
			} else {
				got.Refused(t, 503, "unavailable")
			}
		})
	}
}

// TestRedisTopologies connects to sentinels and to a cluster, with passwords and TLS.
func TestRedisTopologies(t *testing.T) {
	certificates := redistest.NewCertificates(t)
	encryption := fmt.Sprintf("tls {\nca %s\ncertificate %s %s\n}\n", certificates.CA, certificates.Certificate, certificates.Key)
	t.Setenv("CHAT_PASSWORD", "tea")
	t.Run("sentinel", func(t *testing.T) {
		s := redistest.StartSentinels(t, redistest.SentinelOptions{Password: "tea", SentinelPassword: "milk", TLS: certificates})
		t.Setenv("CHAT_SENTINEL", s.Addrs()[0])
		key := "room:" + useTopology(t, "redis {env.CHAT_SENTINEL} "+strings.Join(s.Addrs()[1:], " ")+" {\n"+
			"sentinel "+redistest.MasterName+" {\npassword milk\n}\ndb 2\npassword {env.CHAT_PASSWORD}\n"+encryption+"}")
		connection := s.Master(t).Client().Conn()
		defer connection.Close()
		if err := connection.Select(t.Context(), 2).Err(); err != nil {
			t.Fatal(err)
		}
		if n, err := connection.Exists(t.Context(), key).Result(); err != nil || n != 1 {
			t.Errorf("no key %s: %v", key, err)
		}
	})
	t.Run("cluster", func(t *testing.T) {
		c := redistest.StartCluster(t, redistest.ClusterOptions{Password: "tea", TLS: certificates})
		key := "chat:room:{" + useTopology(t, "redis "+c.Addrs()[4]+" "+c.Addrs()[0]+" {\n"+
			"cluster\nkey_prefix chat:\npassword {env.CHAT_PASSWORD}\n"+encryption+"}") + "}"
		if n, err := c.MasterOf(t, key).Client().Exists(t.Context(), key).Result(); err != nil || n != 1 {
			t.Errorf("no key %s: %v", key, err)
		}
	})
}

// useTopology creates a room and joins it. It returns the room's id.
func useTopology(t *testing.T, store string) string {
	t.Helper()
	s := serve(t, "ephemeral_chat {\n"+store+"\n}")
	admin := s.Create(t)
	s.Join(t, admin.Room)
	return admin.Room
}

// TestRedisDown loads a configuration whose Redis cannot be reached, and then starts that
// Redis.
func TestRedisDown(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	server.Kill(t)
	s := newSite(t)
	began := time.Now()
	load(t, s.block("ephemeral_chat {\nredis "+server.Addr()+"\n}"))
	if took := time.Since(began); took > time.Second {
		t.Errorf("loading took %s", took)
	}
	nobody := apitest.Member{Room: "AAAAAAAAAAAAAAAAAAAAAA", User: "x", Session: "y"}
	for path, body := range map[string]string{
		"/createRoom": apitest.Object(t, "roomName", "x"), "/joinRoom": nobody.As(t), "/startChat": nobody.As(t), "/deleteRoom": nobody.As(t),
		"/removeMember": nobody.As(t, "memberId", "z"), "/lockRoom": nobody.As(t, "locked", true), "/leaveRoom": nobody.As(t), "/roomInfo": nobody.As(t),
	} {
		if detail := s.Post(t, path, body).Refused(t, 503, "unavailable"); strings.Contains(detail, server.Addr()) {
			t.Errorf("%s tells where Redis is: %s", path, detail)
		}
	}
	// An invalid id needs no call of Redis.
	s.Post(t, "/roomInfo", apitest.Object(t, "roomId", "a b")).Refused(t, 404, "room_not_found")

	server.Restart(t)
	apitest.WaitUntil(t, func() bool {
		return s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).Status == http.StatusOK
	})
	s.Join(t, s.Create(t).Room)
}

// TestTwoSitesOnRedis checks that sites with the same database and prefix share rooms.
func TestTwoSitesOnRedis(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	for name, test := range map[string]struct {
		first, second string
		shared        bool
	}{
		"same":         {"", "", true},
		"other db":     {"", "db 1", false},
		"other prefix": {"key_prefix a:", "key_prefix b:", false},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newSite(t), newSite(t)
			block := func(s *site, options string) string {
				return s.block(fmt.Sprintf("ephemeral_chat {\nredis %s {\n%s\n}\n}", server.Addr(), options))
			}
			load(t, block(first, test.first)+block(second, test.second))
			got := second.Post(t, "/joinRoom", first.Create(t).As(t))
			if test.shared {
				got.OK(t)
			} else {
				got.Refused(t, 404, "room_not_found")
			}
		})
	}
}
