package room

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// A session id is stateless: a nonce, the role, and an HMAC-SHA256 over room,
// user, role and nonce under the room's key. It authenticates a member until the
// room, which alone has the key, is gone. Only the Store knows whether its user
// still is a member.
const (
	keySize     = 32 // of the room's key
	nonceSize   = 15
	macSize     = sha256.Size
	sessionSize = nonceSize + 1 + macSize // 48 bytes, 64 characters
)

// Session is the content of a verified session id.
type Session struct {
	// Role is the role that the session was issued for.
	Role Role
	// Tag identifies the session in public. It reveals nothing of the session id.
	Tag string
}

var sessionEncoding = base64.RawURLEncoding.Strict()

// NewSession issues a session id under the key of a room.
func NewSession(key []byte, roomID, userID string, role Role) string {
	head := append(randomBytes(nonceSize), role[0]) // a or m
	return sessionEncoding.EncodeToString(slices.Concat(head, sessionMAC(key, roomID, userID, head)))
}

// VerifySession returns the session, or ErrInvalidSession if the id was not issued
// to this user, for this room, under this key. It refuses keys of the wrong length:
// an attacker could sign under the empty key of a damaged room.
func VerifySession(key []byte, roomID, userID, sessionID string) (Session, error) {
	if len(key) != keySize || len(sessionID) != sessionEncoding.EncodedLen(sessionSize) {
		return Session{}, ErrInvalidSession
	}
	b, err := sessionEncoding.DecodeString(sessionID)
	if err != nil || len(b) != sessionSize {
		return Session{}, ErrInvalidSession
	}
	head, mac := b[:nonceSize+1], b[nonceSize+1:]
	if !hmac.Equal(mac, sessionMAC(key, roomID, userID, head)) {
		return Session{}, ErrInvalidSession
	}
	role := RoleMember
	if head[nonceSize] == RoleAdmin[0] {
		role = RoleAdmin
	}
	return Session{Role: role, Tag: sessionTag(b)}, nil
}

// sessionMAC authenticates room, user and head (nonce and role). A length precedes
// each part, so that different lists of parts never encode to the same bytes.
func sessionMAC(key []byte, roomID, userID string, head []byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(roomID), []byte(userID), head} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part))) //nolint:gosec // G115: ids and heads are far below 4 GiB
		m.Write(size[:])
		m.Write(part)
	}
	return m.Sum(nil)
}

// sessionTag returns 72 bits of a hash of the session: random for everyone without
// the session id.
func sessionTag(session []byte) string {
	sum := sha256.Sum256(session)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
