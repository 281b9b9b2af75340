package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// unavailable makes an error of a call that failed. A server's reply may repeat
// what it was sent, so only the first word of one, which is its code, is passed
// on.
func unavailable(what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("redisstore: %s: %w: %w", what, room.ErrUnavailable, err)
	}
	return fmt.Errorf("redisstore: %s: %w: %s", what, room.ErrUnavailable, reason(err))
}

// reason says why a call failed, in words that hold nothing of what was sent.
func reason(err error) string {
	var reply redis.Error
	var network *net.OpError
	switch {
	case errors.Is(err, errDeaf):
		return "what is published is not heard on it"
	case errors.As(err, &network):
		return network.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "time-out"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return "all connections are busy"
	case errors.Is(err, redis.ErrClosed):
		return "the store is closed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection lost"
	case errors.As(err, &reply):
		return "the server refuses: " + replyCode(reply.Error())
	default:
		return "connection failed"
	}
}

// replyCode returns the code of an error that a server replied: its first word,
// in capitals.
func replyCode(text string) string {
	code, _, _ := strings.Cut(text, " ")
	if code == "" || len(code) > 20 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "error"
	}
	return code
}
