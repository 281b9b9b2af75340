package redisstore

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/client"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// repair writes to Redis what it has lost and the feed knows: the deadline, removals, and
// the presence of users through this node. It updates r accordingly.
func (f *feed) repair(ctx context.Context, r *snapshot) error {
	f.mu.Lock()
	c, removed := f.clock, slices.Collect(maps.Keys(f.removed))
	f.mu.Unlock()
	scripts := f.store.scripts
	if !c.Deadline.IsZero() && (r.Room.Deadline.IsZero() || r.Room.Deadline.After(c.Deadline)) {
		if err := scripts.RepairClock(ctx, f.keys, c); err != nil {
			return err
		}
		r.Room.StartedAt, r.Room.Deadline = c.StartedAt, c.Deadline
	}
	for _, userID := range removed {
		if r.Removed[userID] {
			continue
		}
		if err := scripts.Remove(ctx, f.keys, userID, true); err != nil {
			return err
		}
		r.Removed[userID] = true
	}
	if err := scripts.Exit(ctx, f.keys, r.stale...); err != nil {
		return err
	}
	missing, err := f.store.presence.repair(ctx, f.keys, r.Online, r.Removed)
	if err != nil {
		return err
	}
	// Those with another connection are in it already, which does no harm.
	r.Online = append(r.Online, missing...)
	return nil
}

// repairRetractions retracts messages again whose retraction Redis has lost. The
// messages after a loss are others, and stay.
func (f *feed) repairRetractions(ctx context.Context, r *snapshot) error {
	f.mu.Lock()
	newest := f.seq
	if r.lost {
		newest = r.common
	}
	retracted := slices.Clone(f.retracted.Between(r.Oldest, newest))
	f.mu.Unlock()
	for _, seq := range retracted {
		if r.Retracted.Has(seq) {
			continue
		}
		err := f.store.scripts.Retract(ctx, f.keys, room.Retraction{Seq: seq, Epoch: r.Room.Epoch, Any: true})
		if err != nil && !errors.Is(err, room.ErrMessageNotFound) {
			return err
		}
	}
	return nil
}

// repairNode repairs data that an outage or a failover may have lost and that no feed
// knows: the lease, recent exits and recent ends of rooms.
func (s *Store) repairNode() {
	s.presence.markUnstable()
	s.presence.rewriteExits()
	select {
	case s.presence.renewNow <- struct{}{}:
	default:
	}
	s.spawn(s.redelete)
}

// maxTombstones is the maximum number of tombstones.
const maxTombstones = 1024

// addTombstone remembers an instance that this node has ended.
func (s *Store) addTombstone(instanceID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tombstones) == maxTombstones {
		s.tombstones = slices.Delete(s.tombstones, 0, 1)
	}
	s.tombstones = append(s.tombstones, instanceID)
}

// redelete ends the instances again that have a tombstone. It ends with ctx.
func (s *Store) redelete(ctx context.Context) {
	s.mu.Lock()
	instanceIDs := slices.Clone(s.tombstones)
	s.mu.Unlock()
	for _, instanceID := range instanceIDs {
		k := s.keys.Room(instanceID)
		for attempt := 0; errors.Is(s.scripts.Delete(ctx, k), room.ErrUnavailable); attempt++ {
			if !client.Backoff(ctx, attempt) {
				return
			}
		}
	}
}
