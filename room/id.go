package room

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// NewID returns a new room id: 128 random bits in base64url.
func NewID() string { return randomText(16) }

// NewNonce returns 96 random bits in base64url: the id of a connection, a node, a
// sync marker or an epoch, unique among all nodes.
func NewNonce() string { return randomText(12) }

// newEpoch returns an id for a numbering of messages.
func newEpoch() string { return randomText(6) }

// InstanceID returns the id by which a Store knows one instance of a room:
// "<roomID>:<instance>" for a declared room. A created room has one instance, and
// its InstanceID is the room's id.
func InstanceID(roomID, instance string) string {
	if instance == "" {
		return roomID
	}
	return roomID + ":" + instance
}

// SplitInstanceID reverses InstanceID. Room ids contain no colon.
func SplitInstanceID(instanceID string) (roomID, instance string) {
	roomID, instance, _ = strings.Cut(instanceID, ":")
	return roomID, instance
}

// ValidID reports whether s can be a room id: 1 to 64 characters of base64url.
func ValidID(s string) bool {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s != "" && len(s) <= 64 && strings.Trim(s, characters) == ""
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
