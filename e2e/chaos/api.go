package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// credentials are what a member identifies itself by.
type credentials struct {
	RoomID    string `json:"roomId"`
	UserID    string `json:"userId"`
	SessionID string `json:"sessionId"`
}

// refusal is an answer of the API that is not 200.
type refusal struct {
	status int
	code   string
}

// Error implements error.
func (r refusal) Error() string { return fmt.Sprint(r.status, " ", r.code) }

// isRefusal reports whether an answer is a certain refusal.
func isRefusal(err error, code string) bool {
	var r refusal
	return errors.As(err, &r) && r.code == code
}

// call calls an endpoint of a node once, and fills answer if it succeeds.
func (l *Lab) call(ctx context.Context, n *node, endpoint string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.link.address+endpoint, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := l.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if text, err = io.ReadAll(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var problem struct{ Code string }
		_ = json.Unmarshal(text, &problem) // a refusal without a code has none
		return refusal{response.StatusCode, problem.Code}
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// insist calls an endpoint of one node after the other until there is an answer
// that is not "unavailable". An earlier call may have been carried out, its answer
// lost.
func (l *Lab) insist(ctx context.Context, d *dice, endpoint string, body, answer any) error {
	for {
		err := l.call(ctx, l.nodes[d.n(len(l.nodes))], endpoint, body, answer)
		var r refusal
		switch {
		case err == nil:
			return nil
		case errors.As(err, &r) && r.status < http.StatusInternalServerError:
			return err
		case errors.As(err, &r) && r.status == http.StatusInternalServerError:
			l.journal.violate("internal-error", endpoint+" is answered "+err.Error(), nil)
		}
		if !pause(ctx, d.between(100*time.Millisecond, 500*time.Millisecond)) {
			return ctx.Err()
		}
	}
}
