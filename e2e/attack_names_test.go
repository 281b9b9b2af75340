package e2e_test

import (
	"strings"
	"testing"
)

// TestAttackNames has people join who want to be taken for somebody else in the room,
// or for whoever runs it. None gets a name that looks like another's, is blank, or
// turns what stands around it; both nodes of a site see to that.
func TestAttackNames(t *testing.T) {
	t.Parallel()
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		var admin member
		s.api(0).succeed(t, "/createRoom", fields{"roomName": "r", "username": "Pascal Kühn"}).decode(t, &admin)
		s.api(0).succeed(t, "/removeMember", admin.credentials("memberId", s.api(1).join(t, admin.RoomID, "gone").UserID))
		tried := 0
		taken := map[string]bool{"Pascal Kühn": true, "gone": true}
		for i, name := range []string{
			"Pascal Kühn", "pascal kühn", "PASCAL KÜHN", " Pascal  Kühn\t", "Pascal\u00a0Kühn", "Pascal Ku\u0308hn",
			"Pasca\u200bl Kühn", "\ufeffPascal Kühn", "\u202ePascal Kühn\u202c", "Pascal\u2066 Kühn\u2069", "Pascal Kühn\u00ad",
			"Pascal Kühn\ufe0f", "Pascal Kühn\u3164", "Pascal Kühn\U000e0041", "Pascal\u034f Kühn",
			"\u0420\u0430scal Kühn", "P\u0430s\u0441\u0430l K\u00fchn", "Pasca\u04cf Kühn", "PascaI Kühn", "Pasca1 Kühn", "Pasca| Kühn",
			"\uff30ascal Kühn", "𝒫ascal Kühn", "Pascal \u212a\u00fchn", "P\u0251scal Kühn", "\u03a1ascal Kühn", "Pascal \u039a\u00fchn",
			"gone", "Gone", "g\u043ene", "g0ne",
		} {
			joined := s.api(i).join(t, admin.RoomID, name)
			if !strings.Contains(joined.UserID, "-") || taken[joined.UserID] {
				t.Errorf("%q became %q", name, joined.UserID)
			}
			taken[joined.UserID] = true
			tried++
		}
		for i, name := range []string{
			"admin", "ADMIN", "\u0430dmin", "adm\u0456n", "[admin]", "a d m i n", "Administrator", "Moderator", "System", "Server!",
			"\u3164", "\u2800", "\u115f\u1160", "\u200b\u200d", "\u0338x", "x" + strings.Repeat("\u0489", 20), "\ue000", "a\u2028b",
			"anna\x1b[2J", "anna\r\nb", "a\x00b",
		} {
			expectRefusal(t, s.api(i).call(t, "/joinRoom", fields{"roomId": admin.RoomID, "username": name}), 400, "invalid_request")
			tried++
		}
		for name, want := range map[string]string{
			"👩\u200d👩\u200d👧": "👩\u200d👩\u200d👧", "می\u200cخواهم": "می\u200cخواهم", "Zoë": "Zoë", "Зоя": "Зоя", "田中": "田中",
		} {
			if joined := s.api(0).join(t, admin.RoomID, name); joined.UserID != want {
				t.Errorf("%q, who attacks nobody, became %q", name, joined.UserID)
			}
		}
		t.Logf("%d attacks tried", tried)
	})
}
