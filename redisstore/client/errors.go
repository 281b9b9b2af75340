package client

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

// Unavailable returns the room.ErrUnavailable of a call that failed. It contains
// nothing that was sent: an error reply may repeat that, so only its code is kept.
func Unavailable(call string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("redisstore: %s: %w: %w", call, room.ErrUnavailable, err)
	}
	return fmt.Errorf("redisstore: %s: %w: %s", call, room.ErrUnavailable, Reason(err))
}

// Reason describes why a call failed, without anything that was sent.
func Reason(err error) string {
	var reply redis.Error
	var network *net.OpError
	switch {
	case errors.As(err, &network):
		return network.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return "all connections are busy"
	case errors.Is(err, redis.ErrClosed):
		return "the store is closed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection lost"
	case errors.As(err, &reply):
		return "the server replied with the error " + errorCode(reply.Error())
	default:
		return "connection failed"
	}
}

// errorCode returns the code of an error reply: its first word, in capitals.
func errorCode(reply string) string {
	code, _, _ := strings.Cut(reply, " ")
	if code == "" || len(code) > 20 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "ERR"
	}
	return code
}
