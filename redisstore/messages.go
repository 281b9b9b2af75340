package redisstore

import (
	"context"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// Post implements room.Store, in one round trip, which posts that come at the
// same time share.
func (s *Store) Post(ctx context.Context, instanceID string, post room.Post) (room.Receipt, error) {
	r, err := s.posts.do(ctx, newPosting(ctx, s.keys.names(instanceID, postKeys), post))
	switch {
	case err != nil:
		return room.Receipt{}, unavailable(scriptPost.name, err)
	case r > 0:
		return room.Receipt{Seq: uint64(r)}, nil
	case r < -replyBegan:
		return room.Receipt{Seq: uint64(-replyBegan - r), Began: true}, nil
	case r == -replyLost:
		return room.Receipt{Lost: true}, nil
	case r == 0:
		return room.Receipt{}, errMalformed
	case r == -replyNot:
		return room.Receipt{Duplicate: true}, nil
	default:
		return room.Receipt{}, s.refusal(-r, instanceID)
	}
}

// Before implements room.Store.
func (s *Store) Before(ctx context.Context, instanceID string, before uint64, limit, maxBytes int) (room.Page, error) {
	return s.page(ctx, instanceID, "before", before, limit, maxBytes)
}

// After implements room.Store.
func (s *Store) After(ctx context.Context, instanceID string, after uint64, maxBytes int) (room.Page, error) {
	const unlimited = 1 << 30
	return s.page(ctx, instanceID, "after", after, unlimited, maxBytes)
}

func (s *Store) page(ctx context.Context, instanceID, direction string, number uint64, limit, maxBytes int) (room.Page, error) {
	k := s.keys.room(instanceID)
	r, err := s.run(ctx, scriptHistory, k.keys, direction, number, limit, maxBytes, k.life)
	if err != nil {
		return room.Page{}, err
	}
	if err := s.refusal(r.status(), instanceID); err != nil {
		return room.Page{}, err
	}
	return decodePage(r)
}

// decodePage reads the reply of scripts/history.lua. What it says of messages is in
// itself consistent, or it fails: whoever pages through a room counts on from there.
func decodePage(r reply) (room.Page, error) {
	page := room.Page{Epoch: r.text(1), Oldest: r.count(2), Newest: r.count(3), First: r.count(4)}
	entries := r.list(5)
	if page.Epoch == "" || page.Newest > maxSeq || page.Oldest > page.Newest {
		return room.Page{}, errMalformed
	}
	if len(entries) == 0 {
		page.First = 0
		return page, nil
	}
	page.Entries = make([][]byte, len(entries))
	for i := range entries {
		page.Entries[i] = []byte(entries.text(i))
		if seq, ok := message.SeqOfEntry(page.Entries[i]); !ok || seq != page.First+uint64(i) {
			return room.Page{}, errMalformed
		}
	}
	if page.Oldest == 0 || page.First < page.Oldest || page.Last() > page.Newest {
		return room.Page{}, errMalformed
	}
	return page, nil
}
