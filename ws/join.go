package ws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const (
	// joinTimeout is how long a connection may take to join.
	joinTimeout = 10 * time.Second
	// welcomeHistory is how many messages the welcome of a new client has.
	welcomeHistory = 50
	// maxEpochReads bounds the reads of a welcome while the store and its events are in
	// different epochs.
	maxEpochReads = 20
)

// joinByQuery joins by the query of the request, and returns it as a frame. It returns
// nil if the query holds no join, and fails when the request or ctx ends.
func (c *conn) joinByQuery(ctx context.Context, r *http.Request) (*clientFrame, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: malformed query", room.ErrInvalidRequest)
	}
	if !query.Has("roomId") {
		return nil, nil //nolint:nilnil // no join is no error
	}
	f := clientFrame{
		RoomID:    query.Get("roomId"),
		UserID:    query.Get("userId"),
		SessionID: query.Get("sessionId"),
		Epoch:     query.Get("epoch"),
	}
	if after := query.Get("after"); after != "" {
		n, err := strconv.ParseUint(after, 10, 64)
		if err != nil || n > maxInteger {
			return nil, fmt.Errorf("%w: after must be an integer from 0 to 2^53-1", room.ErrInvalidRequest)
		}
		f.After = &n
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.Context(), cancel)() //nolint:contextcheck // either of the two contexts ends it
	return &f, c.enter(ctx, &f)
}

// join joins by the first frame, and returns it. It returns nil if it has closed the
// connection.
func (c *conn) join(ctx context.Context) *clientFrame {
	_ = c.out.SetReadDeadline(time.Now().Add(joinTimeout))
	var f clientFrame
	err := c.read(func(data []byte) (err error) {
		f, err = decodeFrame(data)
		if errors.Is(err, apierror.ErrInvalidFrame) {
			return apierror.ErrBadFrame // error frames are for clients that have joined
		}
		if err == nil && f.Type != "join" {
			return apierror.ErrJoinRequired
		}
		return err
	})
	if err == nil {
		c.holdQueue() // the welcome is the first frame
		err = c.enter(ctx, &f)
	} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		err = apierror.ErrJoinTimeout
	}
	if err != nil {
		c.fail(err)
		return nil
	}
	return &f
}

// enter checks the session of a join and enters the room. The caller undoes it by
// unregister and release.
func (c *conn) enter(ctx context.Context, f *clientFrame) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if c.settings.UserID != "" {
		f.UserID = c.settings.UserID
	}
	session, instanceID, err := c.authenticate(ctx, f)
	if err != nil {
		return err
	}
	hr, err := c.hub.acquire(ctx, instanceID, c.settings.FlushInterval)
	if err != nil {
		return err
	}
	c.room, c.userID, c.session = hr, f.UserID, session
	if err := hr.register(c); err != nil {
		c.hub.release(hr)
		return err
	}
	presence := room.Presence{UserID: c.userID, SocketID: c.socketID, Session: session.Tag, Order: c.order}
	c.lastAccepted, err = hr.feed.Enter(ctx, presence, c.settings.Rooms.Limits().MaxMembers)
	hr.confirmEnter(c, err)
	if err != nil {
		hr.unregister(c) //nolint:contextcheck // the store learns of the exit after the request has ended
		c.hub.release(hr)
	}
	return err
}

// authenticate checks the session of a join, and returns the instance of the room that
// it is valid in. Whether its user still is a member, Feed.Enter checks.
func (c *conn) authenticate(ctx context.Context, f *clientFrame) (session room.Session, instanceID string, err error) {
	if hr := c.hub.openRoom(f.RoomID); hr != nil {
		if err := c.settings.Rooms.Admits(hr.signedIn); err != nil {
			return session, "", err
		}
		session, err = room.VerifySession(hr.key, f.RoomID, f.UserID, f.SessionID)
		// A session that is invalid in this instance of a declared room may be valid in
		// a newer one, which this node has not opened yet.
		if declared := hr.id != f.RoomID; err == nil || !declared {
			return session, hr.id, err
		}
	}
	m, err := c.settings.Rooms.Authenticate(ctx, room.Credentials{RoomID: f.RoomID, UserID: f.UserID, SessionID: f.SessionID})
	return m.Session, m.Room.InstanceID(), err
}

// welcome sends the first frame of a connection that has entered the room, and adds
// the connection to the fan-out.
func (c *conn) welcome(ctx context.Context, joined *clientFrame) error {
	hr := c.room
	for range maxEpochReads {
		page, gap, err := hr.firstPage(ctx, joined)
		if err != nil {
			return err
		}
		now := hr.hub.store.Now()
		hr.mu.Lock()
		if hr.ended {
			hr.mu.Unlock()
			c.releaseQueue(nil) // it has the ended frame
			return nil
		}
		if page.Epoch != hr.state.Epoch {
			// Either the page or this node is not in the new epoch yet.
			hr.mu.Unlock()
			if !sleep(ctx, retryDelay) {
				return unavailable(ctx)
			}
			continue
		}
		head := hr.welcomeHead(c, &page, now)
		head.Gap = gap
		cursor := page.Last()
		if cursor == 0 {
			cursor = page.Newest
		}
		c.moveCursor(cursor, &page)
		behind := !c.live
		hr.redact(&page)
		hr.attach(c)
		hr.mu.Unlock()

		c.releaseQueue(pageFrame(head, &page))
		c.startPinging()
		if behind {
			// It ends when the connection is live or closed, or the room has ended; the
			// hub waits for it.
			c.hub.running.Go(c.replay)
		}
		return nil
	}
	return room.ErrUnavailable
}

// welcomeHead returns a welcome without its messages. mu is held.
func (hr *hubRoom) welcomeHead(c *conn, page *room.Page, now time.Time) welcomeFrame {
	head := welcomeFrame{
		Type:        "welcome",
		SocketID:    c.socketID,
		UserID:      c.userID,
		Session:     c.session.Tag,
		Role:        c.session.Role,
		Room:        newRoomState(&hr.state),
		Now:         message.FormatTime(now),
		Epoch:       hr.state.Epoch,
		Seq:         max(hr.state.Seq, page.Newest),
		LastID:      c.lastAccepted,
		MaxMessage:  c.settings.Rooms.Limits().MaxMessage,
		MessageRate: newMessageRate(&c.settings),
		More:        hasOlder(page),
		Retracted:   hr.keptRetractions(page),
	}
	// The event of this user's own arrival may still be on its way.
	head.Online = make([]string, 1, min(len(hr.online)+1, maxNamed))
	head.Online[0] = c.userID
	head.OnlineCount = len(hr.online)
	if _, ok := hr.online[c.userID]; !ok {
		head.OnlineCount++
	}
	for userID := range hr.online {
		if len(head.Online) == maxNamed {
			break
		}
		if userID != c.userID {
			head.Online = append(head.Online, userID)
		}
	}
	slices.Sort(head.Online)
	return head
}
