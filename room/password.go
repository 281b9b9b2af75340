package room

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/crypto/argon2"
)

// MaxPassword is the longest password, in bytes.
const MaxPassword = 1024

// Parameters of argon2id: the second of OWASP's recommended configurations
// (Password Storage Cheat Sheet), 19 MiB of memory, two passes, one lane. Salt
// and hash are stored raw, which keeps a room's hash in Redis a listpack.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	saltSize    = 16
	hashSize    = 32

	// maxHashing is how many password hashes may be in progress or waiting. At some
	// 30 ms each, the last in the queue waits for a second or two.
	maxHashing = 64
)

// hashing holds a token for each hash in progress, queueing for each request. They
// bound the cost of passwords for the whole process, over all handlers: half of the
// cores, and 19 MiB of memory for each of these.
var (
	hashing  = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	queueing = make(chan struct{}, maxHashing)
)

// hashPassword returns the salt followed by the argon2id hash of a password, or nil
// if the password is empty. ErrUnavailable if too many hashes are waiting.
func hashPassword(ctx context.Context, password string, salt []byte) ([]byte, error) {
	if password == "" {
		return nil, nil
	}
	sum, err := argon(ctx, password, salt)
	if err != nil {
		return nil, err
	}
	return slices.Concat(salt, sum), nil
}

// checkPassword returns the index of the first hash that matches password. It skips
// empty hashes; consecutive hashes with the same salt cost one computation.
// ErrWrongPassword if none matches, ErrUnavailable if too many hashes are waiting.
func checkPassword(ctx context.Context, password string, hashes ...[]byte) (matching int, err error) {
	var sum, salt []byte
	for i, stored := range hashes {
		if len(stored) == 0 {
			continue
		}
		if len(stored) != saltSize+hashSize {
			return 0, fmt.Errorf("%w: room has a malformed password hash", ErrInternal)
		}
		if !bytes.Equal(stored[:saltSize], salt) {
			salt = stored[:saltSize]
			if sum, err = argon(ctx, password, salt); err != nil {
				return 0, err
			}
		}
		if subtle.ConstantTimeCompare(sum, stored[saltSize:]) == 1 {
			return i, nil
		}
	}
	return 0, ErrWrongPassword
}

func argon(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case queueing <- struct{}{}:
		defer func() { <-queueing }()
	default:
		return nil, fmt.Errorf("%w: too many passwords are being checked", ErrUnavailable)
	}
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	return argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, hashSize), nil
}
