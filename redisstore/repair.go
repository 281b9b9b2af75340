package redisstore

import (
	"context"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// restore writes again what Redis has lost: the deadline, removals, who is
// online through this node.
func (f *feed) restore(ctx context.Context, r *reading) error {
	f.mu.Lock()
	started, deadline := f.started, f.deadline
	removals := make([]string, 0, len(f.removed))
	for user := range f.removed {
		removals = append(removals, user)
	}
	f.mu.Unlock()
	if !deadline.IsZero() && (r.room.Deadline.IsZero() || r.room.Deadline.After(deadline)) {
		if err := f.write(ctx, scriptResume, f.keys.channel, started.UnixMilli(), deadline.UnixMilli(), f.keys.life); err != nil {
			return err
		}
		r.room.StartedAt, r.room.Deadline = started, deadline
	}
	for _, user := range removals {
		if r.removed[user] {
			continue
		}
		if err := f.write(ctx, scriptRemove, f.keys.channel, user, encodeRemoved(user), 1, f.keys.life); err != nil {
			return err
		}
		r.removed[user] = true
	}
	if err := f.store.clear(ctx, f.keys, r.strays); err != nil {
		return err
	}
	return f.reenter(ctx, r)
}

// write runs one of the scripts that write what Redis has lost. If the room has ended
// since it was read, it must be looked at again.
func (f *feed) write(ctx context.Context, sc script, args ...any) error {
	reply, err := f.store.run(ctx, sc, f.keys.keys, args...)
	if err == nil && reply.status() == replyGone {
		return errUnsettled
	}
	return err
}

// reenter puts back the users of this node that Redis does not have.
func (f *feed) reenter(ctx context.Context, r *reading) error {
	s := f.store
	known := make(map[string]string)
	for _, p := range r.online {
		if p.node == s.node {
			known[p.user] = p.socket
		}
	}
	var missing []pair
	for user, socket := range s.presence.users(f.instanceID) {
		if !r.removed[user] && known[user] != socket {
			missing = append(missing, pair{s.node, user, socket})
			if known[user] == "" {
				r.online = append(r.online, pair{s.node, user, socket})
			}
		}
	}
	for len(missing) > 0 {
		batch := missing[:min(clearBatch, len(missing))]
		missing = missing[len(batch):]
		args := make([]any, 0, 2+5*len(batch))
		args = append(args, f.keys.channel, f.keys.life)
		for _, p := range batch {
			args = append(args, p.user, name.Skeleton(p.user), onlineField(p.node, p.user), p.socket, encodePresent(p.node, p.user))
		}
		if err := f.write(ctx, scriptReenter, args...); err != nil {
			return err
		}
		// Nobody waited for a turn, so users may have come and gone meanwhile.
		for _, p := range batch {
			if s.presence.socket(lifeUser{f.instanceID, p.user}) != p.socket {
				s.heart.owe(lifeUser{f.instanceID, p.user})
			}
		}
	}
	return nil
}
