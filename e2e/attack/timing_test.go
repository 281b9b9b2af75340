package attack_test

import (
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestAttackTimingSession measures the time of refusals of sessions: with a wrong last
// character, wrong from the beginning, of a user that is no member, of another room. A
// client on the same machine must not be able to distinguish them.
func TestAttackTimingSession(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		a := s.API(0)
		admin := a.Create(t, 3600)
		ben := a.Join(t, admin.RoomID, "ben")
		elsewhere := a.Create(t, 3600)
		// The last character holds the last bits of the session's authentication code.
		last := ben
		last.SessionID = ben.SessionID[:len(ben.SessionID)-1] + string(nextInAlphabet(ben.SessionID[len(ben.SessionID)-1]))
		// The valid session reversed is as wrong as a random one.
		wrong := ben
		reversed := []byte(ben.SessionID)
		slices.Reverse(reversed)
		wrong.SessionID = string(reversed)
		stranger := wrong
		stranger.UserID = "bob"
		other := ben
		other.SessionID = elsewhere.SessionID
		guesses := map[string]harness.Fields{
			"wrong": wrong.Credentials(), "wrong again": wrong.Credentials(), "right but for the last character": last.Credentials(),
			"of a stranger": stranger.Credentials(), "of another room": other.Credentials(),
		}
		expectSameTime(t, a, guesses, "wrong", 600, 0.1, http.StatusUnauthorized, "invalid_session")
	})
}

// TestAttackTimingPassword does the same with passwords.
func TestAttackTimingPassword(t *testing.T) {
	s := harness.MemorySite(t, harness.Unlimited)
	a := s.API(0)
	const password = "correct horse battery staple"
	admin := a.CreateRoom(t, harness.Fields{"roomName": "r", "password": password, "username": "anna"})
	guess := func(password, username string) harness.Fields {
		return harness.Fields{"roomId": admin.RoomID, "password": password, "username": username}
	}
	expectSameTime(t, a, map[string]harness.Fields{
		"wrong":                            guess("wrong house battery stapler!", "ben"),
		"right but for the last character": guess(password[:len(password)-1]+"f", "ben"),
		"one character":                    guess("c", "ben"),
		"by a name that is taken":          guess("wrong house battery stapler!", "anna"),
	}, "wrong", 9, 0.5, http.StatusForbidden, "wrong_password")
}

// expectSameTime makes each guess a number of times, in random order. It fails the test
// if the median time of a guess differs from the usual one by more than a fraction. Since
// the machine may be busy, the difference must appear in three attempts.
func expectSameTime(t *testing.T, a *harness.API, guesses map[string]harness.Fields, usual string, rounds int, fraction float64, status int, code string) {
	t.Helper()
	var names []string
	for name := range guesses {
		names = append(names, name)
	}
	suspects := names
	for attempt := 1; attempt <= 3 && len(suspects) > 0; attempt++ {
		took := make(map[string][]time.Duration)
		for range rounds {
			rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			for _, name := range names {
				start := time.Now()
				got := a.Call(t, "/joinRoom", guesses[name])
				took[name] = append(took[name], time.Since(start))
				harness.ExpectProblem(t, got, status, code)
			}
		}
		expected := median(took[usual])
		var still []string
		for _, name := range suspects {
			difference := float64(median(took[name])-expected) / float64(expected)
			t.Logf("%s: median %s, %+.1f %%", name, median(took[name]), 100*difference)
			if math.Abs(difference) > fraction {
				still = append(still, name)
			}
		}
		suspects = still
	}
	for _, name := range suspects {
		t.Errorf("the time of a guess distinguishes it: %s", name)
	}
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}
