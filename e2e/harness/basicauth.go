package harness

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// PasswordHash returns the hash of the password "secret" for basic_auth.
func PasswordHash(t *testing.T) string {
	t.Helper()
	output, err := NewNode(t).Command("hash-password", "--algorithm", "bcrypt", "--bcrypt-cost", "4", "--plaintext", "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}

// BasicAuth returns the Authorization header of a user with the password "secret".
func BasicAuth(user string) string {
	request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	request.SetBasicAuth(user, "secret")
	return request.Header.Get("Authorization")
}

// GuardedSite starts a site at which only anna, by her password, creates rooms. It
// returns a client of the chat at /chat.
func GuardedSite(t *testing.T) *API {
	t.Helper()
	_, a := Serve(t, "", fmt.Sprintf(`@create path /chat/createRoom
	basic_auth @create {
		anna %s
	}
	ephemeral_chat /chat/* {
		%s
	}`, PasswordHash(t), Unlimited))
	return NewAPI(t, a.Base+"/chat")
}
