package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// apiError is a response of the API other than 200.
type apiError struct {
	status int
	code   string
}

// Error implements error.
func (e apiError) Error() string { return fmt.Sprint(e.status, " ", e.code) }

// hasCode reports whether the API responded with a code.
func hasCode(err error, code string) bool {
	var e apiError
	return errors.As(err, &e) && e.code == code
}

// call calls an endpoint of a node once, and decodes the response if it is 200.
func (x *experiment) call(ctx context.Context, n *node, endpoint string, body, response any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.proxy.Addr()+endpoint, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := x.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	got, err := harness.ReadResponse(reply)
	if err != nil {
		return err
	}
	if got.Status != http.StatusOK {
		return apiError{got.Status, got.Code()}
	}
	if response == nil {
		return nil
	}
	return json.Unmarshal(got.Body, response)
}

// retry calls an endpoint of random nodes until the response is not "unavailable".
// An earlier call may have been executed, its response lost.
func (x *experiment) retry(ctx context.Context, r *rand.Rand, endpoint string, body, response any) error {
	for {
		err := x.call(ctx, x.nodes[r.IntN(len(x.nodes))], endpoint, body, response)
		var e apiError
		if err == nil || errors.As(err, &e) && e.status < http.StatusInternalServerError {
			return err
		}
		if e.status == http.StatusInternalServerError {
			x.journal.violate("internal-error", endpoint+" returns "+err.Error(), nil)
		}
		if !poll.Pause(ctx, between(r, 100*time.Millisecond, 500*time.Millisecond)) {
			return ctx.Err()
		}
	}
}
