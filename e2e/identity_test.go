package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// as returns a client that sends a header with each request.
func (a *api) as(t *testing.T, name, value string) *api {
	t.Helper()
	other := newAPI(t, a.base)
	inner := other.client.Transport
	other.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set(name, value)
		return inner.RoundTrip(r)
	})
	return other
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// passwordHash returns what basic_auth takes for a password.
func passwordHash(t *testing.T, password string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), caddyBinary, "hash-password", "--algorithm", "bcrypt", "--bcrypt-cost", "4", "--plaintext", password)
	cmd.Dir = t.TempDir()
	cmd.Env = (&node{dir: cmd.Dir}).environment()
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}

// basicAuth is the header of somebody with the password "secret".
func basicAuth(user string) string {
	request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	request.SetBasicAuth(user, "secret")
	return request.Header.Get("Authorization")
}

// annasSite starts a site on which only anna, by her password, creates rooms, and
// returns its address.
func annasSite(t *testing.T) string {
	t.Helper()
	listen := freeAddress(t)
	startNode(t, "", fmt.Sprintf(`http://%s {
	@create path /chat/createRoom
	basic_auth @create {
		anna %s
	}
	ephemeral_chat /chat/* {
		%s
	}
}`, listen, passwordHash(t, "secret"), unlimited), listen)
	return listen
}

// TestOnlyOwnPeopleCreate is of a site at which anybody joins, and only those with a
// password create rooms.
func TestOnlyOwnPeopleCreate(t *testing.T) {
	listen := annasSite(t)
	base := newAPI(t, "http://"+listen+"/chat")
	if got := base.call(t, "/createRoom", fields{"roomName": "r"}); got.status != http.StatusUnauthorized {
		t.Errorf("without a password: %d %s", got.status, got.body)
	}
	admin := base.as(t, "Authorization", basicAuth("anna")).create(t, 60)
	ben := base.join(t, admin.RoomID, "ben")
	k, _ := enter(t, base.base, &ben)
	k.say(t, "hello")
	k.awaitText(t, "hello")
}

// TestBasicAuth is of a chat whose users are those of basic_auth.
func TestBasicAuth(t *testing.T) {
	listen := freeAddress(t)
	startNode(t, "", fmt.Sprintf(`http://%s {
	basic_auth {
		anna %[2]s
		ben %[2]s
	}
	ephemeral_chat /chat/* {
		user {http.auth.user.id}
		%[3]s
	}
}`, listen, passwordHash(t, "secret"), unlimited), listen)
	base := newAPI(t, "http://"+listen+"/chat")
	if got := base.call(t, "/createRoom", fields{"roomName": "r"}); got.status != http.StatusUnauthorized {
		t.Errorf("without a password: %d %s", got.status, got.body)
	}
	anna, ben := base.as(t, "Authorization", basicAuth("anna")), base.as(t, "Authorization", basicAuth("ben"))
	talkAsUsers(t, anna, ben, http.Header{"Authorization": {basicAuth("anna")}}, http.Header{"Authorization": {basicAuth("ben")}})
}

// TestForwardAuth is of a chat whose users another service knows by their cookies.
func TestForwardAuth(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("who"); err == nil {
			w.Header().Set("Remote-User", cookie.Value)
		}
	}))
	t.Cleanup(service.Close)
	listen := freeAddress(t)
	startNode(t, "", fmt.Sprintf(`http://%s {
	forward_auth %s {
		uri /
		copy_headers Remote-User
	}
	ephemeral_chat /chat/* {
		user {header.Remote-User}
		%s
	}
}`, listen, strings.TrimPrefix(service.URL, "http://"), unlimited), listen)
	base := newAPI(t, "http://"+listen+"/chat")
	expectRefusal(t, base.call(t, "/createRoom", fields{"roomName": "r"}), http.StatusUnauthorized, "not_signed_in")
	forged := base.as(t, "Remote-User", "anna")
	expectRefusal(t, forged.call(t, "/createRoom", fields{"roomName": "r"}), http.StatusUnauthorized, "not_signed_in")
	talkAsUsers(t, base.as(t, "Cookie", "who=anna"), base.as(t, "Cookie", "who=ben"),
		http.Header{"Cookie": {"who=anna"}}, http.Header{"Cookie": {"who=ben"}})
}

// talkAsUsers lets anna and ben talk, who come back under their names, whatever they
// say that they are.
func talkAsUsers(t *testing.T, anna, ben *api, annasHeader, bensHeader http.Header) {
	t.Helper()
	var a, b, again member
	anna.succeed(t, "/createRoom", fields{"roomName": "r", "username": "ben", "ttl": 60}).decode(t, &a)
	ben.succeed(t, "/joinRoom", fields{"roomId": a.RoomID, "username": "anna"}).decode(t, &b)
	ben.succeed(t, "/joinRoom", fields{"roomId": a.RoomID}).decode(t, &again)
	if a.UserID != "anna" || b.UserID != "ben" || again.UserID != "ben" || again.SessionID == b.SessionID {
		t.Errorf("they are %s, %s and %s", a.UserID, b.UserID, again.UserID)
	}
	expectRefusal(t, ben.call(t, "/deleteRoom", a.credentials()), http.StatusUnauthorized, "invalid_session")
	var sockets []*socket
	for _, who := range []struct {
		m      member
		header http.Header
	}{{a, annasHeader}, {b, bensHeader}} {
		k, _, err := openSocket(t.Context(), wsURL(anna.base), who.header, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.close)
		k.send(t, who.m.credentials("type", "join", "userId", "somebody"))
		k.await(t, "welcome")
		sockets = append(sockets, k)
	}
	sockets[1].say(t, "hello")
	if f := sockets[0].awaitText(t, "hello"); f.UserID != "ben" {
		t.Errorf("ben speaks as %s", f.UserID)
	}
	k, _, err := openSocket(t.Context(), wsURL(anna.base), bensHeader, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	k.send(t, a.credentials("type", "join"))
	k.awaitClose(t, 4401)
}
