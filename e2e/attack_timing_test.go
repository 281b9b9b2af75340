package e2e_test

import (
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestAttackTimingSession guesses sessions by how long their refusal takes: one that is
// right but for its last character, one that is wrong from the beginning, one of a user
// who is no member, one of another room. All must take as long, as far as can be seen
// from a client as near as one can be.
func TestAttackTimingSession(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		a := s.api(0)
		admin := a.create(t, 3600)
		ben := a.join(t, admin.RoomID, "ben")
		elsewhere := a.create(t, 3600)
		// The last character changed, and so the last bits of the code that
		// authenticates the session.
		last := ben
		last.SessionID = ben.SessionID[:len(ben.SessionID)-1] + string(otherLetter(ben.SessionID[len(ben.SessionID)-1]))
		// As good as random: the right session, backwards.
		wrong := ben
		reversed := []byte(ben.SessionID)
		slices.Reverse(reversed)
		wrong.SessionID = string(reversed)
		stranger := wrong
		stranger.UserID = "bob"
		other := ben
		other.SessionID = elsewhere.SessionID
		guesses := map[string]fields{
			"wrong": wrong.credentials(), "wrong again": wrong.credentials(), "right but for the last character": last.credentials(),
			"of a stranger": stranger.credentials(), "of another room": other.credentials(),
		}
		sameTime(t, a, guesses, "wrong", 600, 0.1, http.StatusUnauthorized, "invalid_session")
	})
}

// TestAttackTimingPassword does the same with passwords.
func TestAttackTimingPassword(t *testing.T) {
	s := memorySite(t, unlimited)
	a := s.api(0)
	const password = "correct horse battery staple"
	var admin member
	a.succeed(t, "/createRoom", fields{"roomName": "r", "password": password, "username": "anna"}).decode(t, &admin)
	guess := func(password, username string) fields {
		return fields{"roomId": admin.RoomID, "password": password, "username": username}
	}
	sameTime(t, a, map[string]fields{
		"wrong":                            guess("wrong house battery stapler!", "ben"),
		"right but for the last character": guess(password[:len(password)-1]+"f", "ben"),
		"one character":                    guess("c", "ben"),
		"by a name that is taken":          guess("wrong house battery stapler!", "anna"),
	}, "wrong", 9, 0.5, http.StatusForbidden, "wrong_password")
}

// otherLetter returns a character of base64url other than one.
func otherLetter(c byte) byte {
	if c == 'A' {
		return 'Q'
	}
	return 'A'
}

// sameTime makes each of the guesses so many times, in turns whose order is chance,
// and fails the test if one of them takes another time to be refused than the usual
// one. What is compared are medians, and what counts as another time is told as a
// fraction. That is far more than chance does, but the machine has other work: a
// difference must be there three times, as one that tells something would.
func sameTime(t *testing.T, a *api, guesses map[string]fields, usual string, rounds int, another float64, status int, code string) {
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
				got := a.call(t, "/joinRoom", guesses[name])
				took[name] = append(took[name], time.Since(start))
				expectRefusal(t, got, status, code)
			}
		}
		expected := median(took[usual])
		var still []string
		for _, name := range suspects {
			difference := float64(median(took[name])-expected) / float64(expected)
			t.Logf("%s: median %s, %+.1f %%", name, median(took[name]), 100*difference)
			if math.Abs(difference) > another {
				still = append(still, name)
			}
		}
		suspects = still
	}
	for _, name := range suspects {
		t.Errorf("a guess can be told from others by its time: %s", name)
	}
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}
