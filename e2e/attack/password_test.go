package attack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestAttackPasswords guesses the password of a room at both nodes of a site, with a new
// forged address in each request. The number of checked guesses is bounded. Members can
// rejoin meanwhile, and other rooms are not affected.
func TestAttackPasswords(t *testing.T) {
	t.Parallel()
	s := harness.RedisSite(t, "")
	admin := s.API(0).CreateRoom(t, harness.Fields{"roomName": "r", "password": "right"})
	other := s.API(0).CreateRoom(t, harness.Fields{"roomName": "r", "password": "right"})
	ben := s.API(1).JoinRoom(t, harness.Fields{"roomId": admin.RoomID, "password": "right"})

	statuses := make(map[int]int)
	guess := func(n int, password string) int {
		header := harness.JSONHeader()
		// No proxy is trusted, so that the server ignores the header.
		header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", n))
		body := fmt.Sprintf(`{"roomId":%q,"password":%q}`, admin.RoomID, password)
		return s.API(n).Do(t, "POST", "/joinRoom", header, strings.NewReader(body)).Status
	}
	for n := range 60 {
		statuses[guess(n, fmt.Sprint("guess ", n))]++
	}
	if statuses[403] < 20 || statuses[403] > 24 || statuses[403]+statuses[429] != 60 {
		t.Errorf("answers %v, want 10 wrong passwords at each of two nodes, or what a few seconds add", statuses)
	}
	if status := guess(0, "right"); status != 429 {
		t.Errorf("a right guess after too many wrong ones: %d", status)
	}
	s.API(0).Succeed(t, "/joinRoom", ben.Credentials())
	k, _ := harness.Join(t, s.Base(1), &ben)
	k.Close()
	s.API(0).Succeed(t, "/joinRoom", harness.Fields{"roomId": other.RoomID, "password": "right"})
	t.Logf("%d guesses tried, %d of them checked", 60, statuses[403])
}
