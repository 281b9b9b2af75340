package script

import (
	"context"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/pubsub"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var syncScript = load("sync", "now", "room_fields", "master_changed")

// SyncArgs are the arguments of Sync.
type SyncArgs struct {
	// Marker is the payload to publish, see NewMarker.
	Marker string
	// Message is the number of the message to return if HasMessage is set, else the
	// newest is returned.
	Message    uint64
	HasMessage bool
	// NewEpoch is the epoch to set if another server has had the room since its epoch
	// began; empty for no check.
	NewEpoch string
	// Users are the users whose removal to check.
	Users []string
}

// NewMarker returns the payload that Sync publishes at the moment of reading.
func NewMarker() string {
	return pubsub.Event{Type: pubsub.TypeMarker, Marker: room.NewNonce()}.Encode()
}

// Snapshot is a room at the moment of its marker: events before that are part of it,
// events after it are not.
type Snapshot struct {
	Room      room.Room
	Lobby     time.Duration
	Now       time.Time // the server's time; set also if there is no such room
	Oldest    uint64    // the oldest message kept; above Room.Seq if there is none
	Entry     string    // the message that was asked for, if it is kept
	Online    []PresenceEntry
	Removed   map[string]bool // of SyncArgs.Users
	Retracted room.Retractions
}

// Sync reads a room and publishes a marker.
func (r *Runner) Sync(ctx context.Context, k Keys, a SyncArgs) (Snapshot, error) {
	args := make([]any, 0, 6+len(a.Users))
	args = append(args, k.Channel, a.Marker, "", k.instance, a.NewEpoch, "")
	if a.HasMessage {
		args[2] = a.Message
	}
	if a.NewEpoch != "" {
		args[5] = epochEvent(a.NewEpoch)
	}
	for _, user := range a.Users {
		args = append(args, user)
	}
	result, err := r.run(ctx, syncScript, k.names, args...)
	s := Snapshot{Now: result.time(1)}
	if err != nil {
		return s, err
	}
	fields, kept := result.list(2), result.count(3)
	if s.Room, err = fields.room(k.InstanceID); err != nil {
		return Snapshot{}, err
	}
	if s.Room.Seq > maxSeq || kept > s.Room.Seq {
		return Snapshot{}, errMalformed
	}
	s.Lobby = time.Duration(fields.number(11)) * time.Second
	s.Oldest, s.Entry = s.Room.Seq-kept+1, result.text(4)
	s.Online = presenceEntries(result.list(5))
	s.Removed = make(map[string]bool, len(a.Users))
	for i, user := range a.Users {
		s.Removed[user] = result.list(6).number(i) == 1
	}
	for i := range result.list(7) {
		s.Retracted.Add(result.list(7).count(i))
	}
	return s, nil
}
