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

	// maxHashing is how many password hashes may be waited for. At some 30 ms
	// each, whoever is at the end of the queue waits for a second or two.
	maxHashing = 64
)

// hashing is held while a password is hashed, queueing while one waits to. They
// bound what the whole process spends on passwords, however many handlers it
// has: half of the cores, and no more memory than 19 MiB for each.
var (
	hashing  = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	queueing = make(chan struct{}, maxHashing)
)

// hashPassword returns what a room keeps of its password: a random salt and
// the argon2id hash. ErrUnavailable if too many hashes are waited for.
func hashPassword(ctx context.Context, password string) ([]byte, error) {
	return hashWith(ctx, randomBytes(saltSize), password)
}

// hashWith does so with a salt that it leaves as it is.
func hashWith(ctx context.Context, salt []byte, password string) ([]byte, error) {
	sum, err := argon(ctx, password, salt)
	if err != nil {
		return nil, err
	}
	return slices.Concat(salt, sum), nil
}

// checkPassword returns the index of the first of the hashes that was made from
// password, ErrWrongPassword if none was, and ErrUnavailable if too many hashes are
// waited for. Empty ones were made from none. Those that follow each other with one
// salt cost no more than one.
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
