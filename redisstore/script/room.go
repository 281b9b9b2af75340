package script

import (
	"context"
	"fmt"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

var (
	createScript      = load("create", "now", "room_fields")
	loadScript        = load("load", "now", "room_fields")
	startScript       = load("start", "now", "start_clock")
	repairClockScript = load("repair_clock", "now", "start_clock")
	lockScript        = load("lock")
	deleteScript      = load("delete")
	expireScript      = load("expire", "now")
)

// Create stores a room that LobbyEnqueue has queued at createdAt for the lobby time, in
// seconds. It returns the room that exists then, and whether it is the new one.
func (r *Runner) Create(ctx context.Context, k Keys, n room.Room, createdAt time.Time, lobby int64) (existing room.Room, created bool, err error) {
	skeleton := "" // no two users of a room may have confusable names, unless they are signed in
	if !n.SignedIn && n.Admin != "" {
		skeleton = name.Skeleton(n.Admin)
	}
	result, err := r.call(ctx, createScript, k.names, createdAt.UnixMilli(), lobby, n.Admin, n.Name,
		wholeSeconds(n.TTL), n.Epoch, n.Key, n.Password, n.AdminPassword, n.Instance, textFlag(n.SignedIn), skeleton)
	if err != nil {
		return room.Room{}, false, err
	}
	switch result.status() {
	case statusOK:
		n.CreatedAt, n.StartedAt, n.Deadline = createdAt, time.Time{}, time.Time{}
		n.Seq, n.Locked = 0, false
		return n, true, nil
	case statusTooLate:
		return room.Room{}, false, fmt.Errorf("redisstore: create: %w: it took longer than the lobby time", room.ErrUnavailable)
	case statusRoomTaken:
		existing, err = result.list(2).room(n.ID)
		return existing, false, err
	default:
		return room.Room{}, false, errMalformed
	}
}

// Load returns the room and, unless userID is empty, the user's membership.
func (r *Runner) Load(ctx context.Context, k Keys, userID string) (room.Room, room.Membership, error) {
	args := []any{k.instance}
	if userID != "" {
		args = append(args, userID)
	}
	result, err := r.run(ctx, loadScript, k.names, args...)
	if err != nil {
		return room.Room{}, 0, err
	}
	loaded, err := result.list(2).room(k.InstanceID)
	return loaded, memberships[result.number(3)], err
}

// memberships are those that load.lua returns; zero is room.NotMember.
var memberships = map[int64]room.Membership{1: room.IsMember, 2: room.WasRemoved}

// Start starts the room unless it has started.
func (r *Runner) Start(ctx context.Context, k Keys) (room.Clock, error) {
	result, err := r.run(ctx, startScript, k.names, k.Channel, k.instance)
	if err != nil {
		return room.Clock{}, err
	}
	c := room.Clock{StartedAt: result.time(2), Deadline: result.time(3), Began: result.number(4) == 1}
	if c.StartedAt.IsZero() || !c.Deadline.After(c.StartedAt) {
		return room.Clock{}, errMalformed
	}
	return c, nil
}

// RepairClock gives the room its deadline back, unless it has an earlier one.
func (r *Runner) RepairClock(ctx context.Context, k Keys, c room.Clock) error {
	_, err := r.run(ctx, repairClockScript, k.names, k.Channel, c.StartedAt.UnixMilli(), c.Deadline.UnixMilli(), k.instance)
	return err
}

// SetLocked locks or unlocks the room.
func (r *Runner) SetLocked(ctx context.Context, k Keys, locked bool) error {
	event := pubsub.Event{Type: pubsub.TypeLocked, Locked: locked}
	_, err := r.run(ctx, lockScript, k.names, k.Channel, locked, event.Encode(), k.instance)
	return err
}

// Delete ends the room.
func (r *Runner) Delete(ctx context.Context, k Keys) error {
	_, err := r.run(ctx, deleteScript, k.names, k.Channel, ended(room.EndDeleted), k.instance)
	return err
}

// Expire ends the room if its deadline has passed by the server's clock. It returns
// whether the room is gone, and the server's time.
func (r *Runner) Expire(ctx context.Context, k Keys, deadline time.Time) (gone bool, now time.Time, err error) {
	result, err := r.call(ctx, expireScript, k.names, k.Channel, ended(room.EndExpired), deadline.UnixMilli(), k.instance)
	if err != nil {
		return false, time.Time{}, err
	}
	return result.status() == statusGone, result.time(1), nil
}

// ended encodes the event of the end of a room.
func ended(reason room.EndReason) string {
	return pubsub.Event{Type: pubsub.TypeEnded, Reason: reason}.Encode()
}
