package script

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var (
	lobbyEnqueueScript = load("lobby_enqueue", "now")
	lobbyPeekScript    = load("lobby_peek", "now")
	lobbyDequeueScript = load("lobby_dequeue")
	reapScript         = load("reap")
)

// LobbyEnqueue queues a room for reaping after the lobby time. It returns the time of
// the entry, for Create, and the lobby time in whole seconds.
func (r *Runner) LobbyEnqueue(ctx context.Context, s Keyspace, instanceID string, lobby time.Duration) (createdAt time.Time, seconds int64, err error) {
	seconds = max(1, wholeSeconds(lobby))
	result, err := r.call(ctx, lobbyEnqueueScript, s.lobby(seconds), seconds, instanceID)
	if err != nil {
		return time.Time{}, 0, err
	}
	return result.time(1), seconds, nil
}

// ParseLobbyEntry returns the time of creation, in milliseconds, and the instance. It
// returns false for an entry of another program.
func ParseLobbyEntry(entry string) (createdAt int64, instanceID string, ok bool) {
	text, instanceID, ok := strings.Cut(entry, ":")
	createdAt, err := strconv.ParseInt(text, 10, 64)
	return createdAt, instanceID, ok && err == nil
}

// LobbyPeek returns the first entries of a lobby list, and the server's time in
// milliseconds.
func (r *Runner) LobbyPeek(ctx context.Context, s Keyspace, lobby int64, limit int) (now int64, entries []string, err error) {
	result, err := r.run(ctx, lobbyPeekScript, s.lobby(lobby)[:1], limit)
	if err != nil {
		return 0, nil, err
	}
	list := result.list(2)
	for i := range list {
		entries = append(entries, list.text(i))
	}
	return result.number(1), entries, nil
}

// LobbyDequeue removes the entries from the head of a lobby list, and the list from the
// set of all lists if it is empty.
func (r *Runner) LobbyDequeue(ctx context.Context, s Keyspace, lobby int64, entries []string) error {
	args := []any{lobby}
	for _, entry := range entries {
		args = append(args, entry)
	}
	_, err := r.run(ctx, lobbyDequeueScript, s.lobby(lobby), args...)
	return err
}

// Reap ends a room that was created then and has not started.
func (r *Runner) Reap(ctx context.Context, k Keys, createdAt int64) error {
	_, err := r.call(ctx, reapScript, k.names, k.Channel, ended(room.EndExpired), createdAt, k.instance)
	return err
}
