package redisstore

import (
	"context"
	"strconv"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Post implements room.Store, in one round trip.
func (s *Store) Post(ctx context.Context, roomID string, post room.Post) (room.Receipt, error) {
	k := s.keys.room(roomID)
	history := max(1, post.History)
	r, err := s.run(ctx, scriptPost, k.keys, k.channel, post.UserID, post.Body, post.Session,
		strconv.FormatUint(post.ID, 10), history, max(1, history/4))
	if err != nil {
		return room.Receipt{}, err
	}
	if r.number(0) == replyNot {
		return room.Receipt{Duplicate: true}, nil
	}
	if err := s.refusal(r, roomID); err != nil {
		return room.Receipt{}, err
	}
	return room.Receipt{Seq: r.count(1)}, nil
}

// Before implements room.Store.
func (s *Store) Before(ctx context.Context, roomID string, before uint64, limit, maxBytes int) (room.Page, error) {
	return s.page(ctx, roomID, "before", before, limit, maxBytes)
}

// After implements room.Store.
func (s *Store) After(ctx context.Context, roomID string, after uint64, maxBytes int) (room.Page, error) {
	const unlimited = 1 << 30
	return s.page(ctx, roomID, "after", after, unlimited, maxBytes)
}

func (s *Store) page(ctx context.Context, roomID, direction string, number uint64, limit, maxBytes int) (room.Page, error) {
	r, err := s.run(ctx, scriptHistory, s.keys.room(roomID).keys, direction, number, limit, maxBytes)
	if err != nil {
		return room.Page{}, err
	}
	if err := s.refusal(r, roomID); err != nil {
		return room.Page{}, err
	}
	page := room.Page{Epoch: r.text(1), Oldest: r.count(2), Newest: r.count(3), First: r.count(4)}
	entries := r.list(5)
	if len(entries) > 0 {
		page.Entries = make([][]byte, len(entries))
		for i := range entries {
			page.Entries[i] = []byte(entries.text(i))
		}
	}
	return page, nil
}
