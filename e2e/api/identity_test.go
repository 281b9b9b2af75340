package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestGuardedCreate lets only users with a password create rooms, and all clients join.
func TestGuardedCreate(t *testing.T) {
	base := harness.GuardedSite(t)
	harness.ExpectStatus(t, "without a password", base.Call(t, "/createRoom", harness.Fields{"roomName": "r"}), http.StatusUnauthorized)
	admin := base.WithHeader(t, "Authorization", harness.BasicAuth("anna")).Create(t, 60)
	ben := base.Join(t, admin.RoomID, "ben")
	k, _ := harness.Join(t, base.Base, &ben)
	k.Publish(t, "hello")
	k.AwaitText(t, "hello")
}

// TestBasicAuth takes the users of a chat from basic_auth.
func TestBasicAuth(t *testing.T) {
	_, base := harness.Serve(t, "", fmt.Sprintf(`basic_auth {
		anna %[1]s
		ben %[1]s
	}
	%[2]s`, harness.PasswordHash(t), harness.Chat("user {http.auth.user.id}", harness.Unlimited)))
	harness.ExpectStatus(t, "without a password", base.Call(t, "/createRoom", harness.Fields{"roomName": "r"}), http.StatusUnauthorized)
	anna, ben := base.WithHeader(t, "Authorization", harness.BasicAuth("anna")), base.WithHeader(t, "Authorization", harness.BasicAuth("ben"))
	chatAsUsers(t, anna, ben, http.Header{"Authorization": {harness.BasicAuth("anna")}}, http.Header{"Authorization": {harness.BasicAuth("ben")}})
}

// TestForwardAuth takes the users of a chat from another service, which knows them by
// their cookies.
func TestForwardAuth(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("who"); err == nil {
			w.Header().Set("Remote-User", cookie.Value)
		}
	}))
	t.Cleanup(service.Close)
	_, base := harness.Serve(t, "", fmt.Sprintf(`forward_auth %s {
		uri /
		copy_headers Remote-User
	}
	%s`, strings.TrimPrefix(service.URL, "http://"), harness.Chat("user {header.Remote-User}", harness.Unlimited)))
	harness.ExpectProblem(t, base.Call(t, "/createRoom", harness.Fields{"roomName": "r"}), http.StatusUnauthorized, "not_signed_in")
	forged := base.WithHeader(t, "Remote-User", "anna")
	harness.ExpectProblem(t, forged.Call(t, "/createRoom", harness.Fields{"roomName": "r"}), http.StatusUnauthorized, "not_signed_in")
	chatAsUsers(t, base.WithHeader(t, "Cookie", "who=anna"), base.WithHeader(t, "Cookie", "who=ben"),
		http.Header{"Cookie": {"who=anna"}}, http.Header{"Cookie": {"who=ben"}})
}

// chatAsUsers has anna and ben join, rejoin and chat. They keep their names, whatever
// user their requests name.
func chatAsUsers(t *testing.T, anna, ben *harness.API, annasHeader, bensHeader http.Header) {
	t.Helper()
	a := anna.CreateRoom(t, harness.Fields{"roomName": "r", "username": "ben", "ttl": 60})
	b := ben.JoinRoom(t, harness.Fields{"roomId": a.RoomID, "username": "anna"})
	again := ben.JoinRoom(t, harness.Fields{"roomId": a.RoomID})
	if a.UserID != "anna" || b.UserID != "ben" || again.UserID != "ben" || again.SessionID == b.SessionID {
		t.Errorf("they are %s, %s and %s", a.UserID, b.UserID, again.UserID)
	}
	harness.ExpectProblem(t, ben.Call(t, "/deleteRoom", a.Credentials()), http.StatusUnauthorized, "invalid_session")
	var sockets []*harness.Socket
	for _, user := range []struct {
		m      harness.Member
		header http.Header
	}{{a, annasHeader}, {b, bensHeader}} {
		k := harness.Open(t, harness.WebSocketURL(anna.Base), user.header, nil)
		k.Send(t, user.m.Credentials("type", "join", "userId", "other"))
		k.Await(t, "welcome")
		sockets = append(sockets, k)
	}
	sockets[1].Publish(t, "hello")
	if f := sockets[0].AwaitText(t, "hello"); f.UserID != "ben" {
		t.Errorf("ben publishes as %s", f.UserID)
	}
	k := harness.Open(t, harness.WebSocketURL(anna.Base), bensHeader, nil)
	k.Send(t, a.Credentials("type", "join"))
	k.AwaitClose(t, 4401)
}
