package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestAttackPasswords guesses the password of a room at both nodes of a site, under
// ever new addresses by the client's own word. What may be tried is bounded; members
// come and go meanwhile, and other rooms do not notice.
func TestAttackPasswords(t *testing.T) {
	t.Parallel()
	s := redisSite(t, "")
	var admin, other, ben member
	s.api(0).succeed(t, "/createRoom", fields{"roomName": "r", "password": "right"}).decode(t, &admin)
	s.api(0).succeed(t, "/createRoom", fields{"roomName": "r", "password": "right"}).decode(t, &other)
	s.api(1).succeed(t, "/joinRoom", fields{"roomId": admin.RoomID, "password": "right"}).decode(t, &ben)

	statuses := make(map[int]int)
	guess := func(n int, password string) int {
		header := jsonHeader()
		// No proxy is trusted: this is the client's word, and counts for nothing.
		header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", n))
		body := fmt.Sprintf(`{"roomId":%q,"password":%q}`, admin.RoomID, password)
		return s.api(n).do(t, "POST", "/joinRoom", header, strings.NewReader(body)).status
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
	s.api(0).succeed(t, "/joinRoom", ben.credentials())
	k, _ := enter(t, s.base(1), &ben)
	k.close()
	s.api(0).succeed(t, "/joinRoom", fields{"roomId": other.RoomID, "password": "right"})
	t.Logf("%d guesses tried, %d of them checked", 60, statuses[403])
}
