package room

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// NewID returns a new room id: 128 random bits in base64url.
func NewID() string { return randomText(16) }

// NewNonce returns a name for a connection, unique among all nodes.
func NewNonce() string { return randomText(12) }

// newEpoch returns a name for a numbering of messages.
func newEpoch() string { return randomText(6) }

// newInstance returns a name for a life of a standing room. It is random, and not the
// time at which the life began: two may begin within the same millisecond, and a
// clock may be set back.
func newInstance() string { return randomText(6) }

// InstanceID names one life of a room, which is what a Store is asked for: the room's
// id, followed by a colon and the name of the life where the room is a standing
// one. Any other room has one life, which has no name.
func InstanceID(roomID, life string) string {
	if life == "" {
		return roomID
	}
	return roomID + ":" + life
}

// SplitInstanceID undoes InstanceID. Room ids have no colon.
func SplitInstanceID(instanceID string) (roomID, life string) {
	roomID, life, _ = strings.Cut(instanceID, ":")
	return roomID, life
}

// ValidID reports whether s can be a room id, which is one to 64 characters of
// base64url. Anything else need not be looked up.
func ValidID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func randomText(bytes int) string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(bytes))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

// newUUID returns a random UUID (RFC 9562, section 5.4).
func newUUID() string {
	b := randomBytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
