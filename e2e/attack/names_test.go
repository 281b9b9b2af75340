package attack_test

import (
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestAttackNames joins under names that imitate a member or the operator of the site.
// The server gives no name with the skeleton of another one, no blank name, and none
// that changes the direction of adjacent text.
func TestAttackNames(t *testing.T) {
	t.Parallel()
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).CreateRoom(t, harness.Fields{"roomName": "r", "username": "Pascal Kühn"})
		s.API(0).Succeed(t, "/removeMember", admin.Credentials("memberId", s.API(1).Join(t, admin.RoomID, "gone").UserID))
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
			joined := s.API(i).Join(t, admin.RoomID, name)
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
			harness.ExpectProblem(t, s.API(i).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID, "username": name}), 400, "invalid_request")
			tried++
		}
		for name, want := range map[string]string{
			"👩\u200d👩\u200d👧": "👩\u200d👩\u200d👧", "می\u200cخواهم": "می\u200cخواهم", "Zoë": "Zoë", "Зоя": "Зоя", "田中": "田中",
		} {
			if joined := s.API(0).Join(t, admin.RoomID, name); joined.UserID != want {
				t.Errorf("%q, which is harmless, became %q", name, joined.UserID)
			}
		}
		t.Logf("%d attacks tried", tried)
	})
}
