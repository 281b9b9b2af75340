package script

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

var (
	joinScript           = load("join", "now", "room_fields")
	removeScript         = load("remove")
	enterScript          = load("enter")
	exitScript           = load("exit")
	repairPresenceScript = load("repair_presence")
	renewLeaseScript     = load("renew_lease", "now")
)

// Join makes a new member. surplus is the number of presence entries beyond one per
// user. tooManyOnline means that the limit of users online is the reason.
func (r *Runner) Join(ctx context.Context, k Keys, join room.Join, surplus int) (joined room.Joined, tooManyOnline bool, err error) {
	args := make([]any, 0, 4+2*len(join.Candidates))
	args = append(args, join.MaxOnline, surplus, join.MaxMembers, k.instance)
	for _, candidate := range join.Candidates {
		args = append(args, candidate, name.Skeleton(candidate))
	}
	result, err := r.run(ctx, joinScript, k.names, args...)
	if err != nil {
		return room.Joined{}, result.status() == statusFull && result.number(2) == 1, err
	}
	joined.UserID = result.text(3)
	if !slices.Contains(join.Candidates, joined.UserID) {
		return room.Joined{}, false, errMalformed
	}
	joined.Room, err = result.list(2).room(k.InstanceID)
	return joined, false, err
}

// Remove ends a membership: also one that Redis does not have, if force is set.
func (r *Runner) Remove(ctx context.Context, k Keys, userID string, force bool) error {
	event := pubsub.Event{Type: pubsub.TypeRemoved, UserID: userID}
	result, err := r.run(ctx, removeScript, k.names, k.Channel, userID, event.Encode(), force, k.instance)
	if result.status() == statusNot {
		err = room.ErrMemberNotFound
	}
	return err
}

// PresenceEntry is the presence of a user through a node, and the newest connection
// there.
type PresenceEntry struct{ Node, UserID, SocketID string }

// field is the name of the entry in room:online. Ids of nodes have no colon.
func (e PresenceEntry) field() string { return e.Node + ":" + e.UserID }

// event encodes a TypePresent or TypeClosed event.
func (e PresenceEntry) event(kind string) string {
	return pubsub.Event{Type: kind, Node: e.Node, UserID: e.UserID}.Encode()
}

// presenceEntries decodes fields and values of room:online.
func presenceEntries(fields reply) []PresenceEntry {
	entries := make([]PresenceEntry, 0, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		if node, userID, ok := strings.Cut(fields.text(i), ":"); ok {
			entries = append(entries, PresenceEntry{node, userID, fields.text(i + 1)})
		}
	}
	return entries
}

// Online returns the presence entries of a room, with HGETALL.
func (r *Runner) Online(ctx context.Context, k Keys) ([]PresenceEntry, error) {
	key := k.names[3]
	command := redis.NewSliceCmd(ctx, "hgetall", key)
	if err := client.Send(ctx, r.topology, key, command); err != nil {
		return nil, client.Unavailable("online", err)
	}
	return presenceEntries(command.Val()), nil
}

// EnterArgs are the arguments of Enter.
type EnterArgs struct {
	Node      string
	Presence  room.Presence
	Newest    string // socket id of the user's newest connection on the node
	MaxOnline int
	Surplus   int  // presence entries beyond one per user
	IsOnline  bool // the user is online through some node
}

// Enter stores the presence of a member and publishes the connection. It returns the
// highest message id of the session.
func (r *Runner) Enter(ctx context.Context, k Keys, a EnterArgs) (lastID uint64, err error) {
	p := a.Presence
	event := pubsub.Event{Type: pubsub.TypeOpened, Node: a.Node, UserID: p.UserID, SocketID: p.SocketID, Session: p.Session}
	result, err := r.run(ctx, enterScript, k.names, k.Channel, p.UserID, PresenceEntry{Node: a.Node, UserID: p.UserID}.field(),
		a.Newest, p.Session, event.Encode(), a.MaxOnline, a.Surplus, a.IsOnline, k.instance)
	if result.status() == statusNot {
		err = room.ErrInvalidSession
	}
	return result.count(1), err
}

// presenceBatch is the maximum number of entries that one call writes.
const presenceBatch = 100

// Exit deletes presence entries. An entry with a socket id is deleted only if Redis has
// the same one.
func (r *Runner) Exit(ctx context.Context, k Keys, entries ...PresenceEntry) error {
	for batch := range slices.Chunk(entries, presenceBatch) {
		args := make([]any, 0, 2+3*len(batch))
		args = append(args, k.Channel, k.instance)
		for _, e := range batch {
			args = append(args, e.field(), e.SocketID, e.event(pubsub.TypeClosed))
		}
		if _, err := r.call(ctx, exitScript, k.names, args...); err != nil {
			return err
		}
	}
	return nil
}

// RepairPresence writes presence entries that Redis has lost.
func (r *Runner) RepairPresence(ctx context.Context, k Keys, entries ...PresenceEntry) error {
	for batch := range slices.Chunk(entries, presenceBatch) {
		args := make([]any, 0, 2+5*len(batch))
		args = append(args, k.Channel, k.instance)
		for _, e := range batch {
			args = append(args, e.UserID, name.Skeleton(e.UserID), e.field(), e.SocketID, e.event(pubsub.TypePresent))
		}
		if _, err := r.run(ctx, repairPresenceScript, k.names, args...); err != nil {
			return err
		}
	}
	return nil
}

// RenewLease marks a node as alive for so many seconds. It returns whether Redis knew
// that it was.
func (r *Runner) RenewLease(ctx context.Context, key string, seconds int) (known bool, err error) {
	result, err := r.call(ctx, renewLeaseScript, []string{key}, seconds)
	return result.number(0) != 0, err
}
