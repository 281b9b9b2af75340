package ephemeralchat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// adminPath is where Caddy's admin API has the endpoints of the chat.
const adminPath = "/ephemeral_chat/"

// adminTimeout bounds what an admin request asks of a store.
const adminTimeout = 5 * time.Second

func init() { caddy.RegisterModule(AdminAPI{}) }

// AdminAPI adds endpoints under `/ephemeral_chat/` to Caddy's admin API: what this
// node has counted, the rooms that have connections on it, and the end of a room,
// for those who have to deal with abuse. What is said in a room, its name and its
// secrets are not shown.
type AdminAPI struct{}

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.ephemeral_chat",
		New: func() caddy.Module { return new(AdminAPI) },
	}
}

// Routes implements caddy.AdminRouter.
func (AdminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminPath, Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	selected, err := selectChats(r)
	if err != nil {
		return err
	}
	path := strings.TrimPrefix(r.URL.Path, adminPath)
	roomID, isRoom := strings.CutPrefix(path, "rooms/")
	switch {
	case isRoom && roomID != "":
		if err := allowAdminMethods(w, r, http.MethodDelete); err != nil {
			return err
		}
		return deleteRooms(w, r, selected, roomID)
	case path == "" || path == "rooms" || isRoom:
		if err := allowAdminMethods(w, r, http.MethodGet, http.MethodHead); err != nil {
			return err
		}
		if path == "" {
			return answerAdmin(w, map[string]any{"stores": statsOf(selected)})
		}
		return answerAdmin(w, map[string]any{"rooms": roomsOf(selected)})
	default:
		return adminError(http.StatusNotFound, errors.New("no such endpoint"))
	}
}

func adminError(status int, err error) error { return caddy.APIError{HTTPStatus: status, Err: err} }

func allowAdminMethods(w http.ResponseWriter, r *http.Request, methods ...string) error {
	if takesMethod(w, r, methods...) {
		return nil
	}
	return adminError(http.StatusMethodNotAllowed, errors.New("method not allowed"))
}

// selectChats returns the chats that a request is about: that of the store that it
// names, or all.
func selectChats(r *http.Request) ([]*chat, error) {
	all := openChats.all()
	name := r.URL.Query().Get("store")
	if name == "" {
		return all, nil
	}
	for _, c := range all {
		if c.name == name {
			return []*chat{c}, nil
		}
	}
	return nil, adminError(http.StatusNotFound, fmt.Errorf("no such store: %q", name))
}

func answerAdmin(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(value)
}

// storeStats are the statistics of a store and its connections, on this node since
// a handler began to use it.
type storeStats struct {
	Name        string               `json:"name"`
	Module      caddy.ModuleID       `json:"module"`
	Connections int                  `json:"connections"`
	Rooms       int                  `json:"rooms"`
	Opened      uint64               `json:"connections_opened"`
	Closed      map[string]uint64    `json:"connections_closed"`
	Messages    uint64               `json:"messages"`
	Deliveries  uint64               `json:"deliveries"`
	SentBytes   uint64               `json:"sent_bytes"`
	Refusals    refusalStats         `json:"refusals"`
	Calls       map[string]callStats `json:"store_calls"`
	Link        *linkStats           `json:"link,omitempty"`
}

type refusalStats struct {
	HTTP      map[string]uint64 `json:"http"`
	WebSocket map[string]uint64 `json:"websocket"`
}

type callStats struct {
	Count   uint64  `json:"count"`
	Errors  uint64  `json:"errors"`
	Seconds float64 `json:"seconds"`
}

type linkStats struct {
	Up      bool   `json:"up"`
	Losses  uint64 `json:"losses"`
	Resyncs uint64 `json:"resyncs"`
	Gaps    uint64 `json:"gaps"`
}

func statsOf(selected []*chat) []storeStats {
	all := make([]storeStats, 0, len(selected))
	for _, c := range selected {
		hub := c.hub.Stats()
		stats := storeStats{
			Name:        c.name,
			Module:      c.module,
			Connections: hub.Connections,
			Rooms:       hub.Rooms,
			Opened:      hub.Opened,
			Closed:      hub.Closed,
			Messages:    hub.Messages,
			Deliveries:  hub.Deliveries,
			SentBytes:   hub.Bytes,
			Refusals:    refusalStats{HTTP: c.refused.Counts(), WebSocket: hub.Refused},
			Calls:       make(map[string]callStats, len(operationNames)),
		}
		for op, name := range operationNames {
			state := c.meter[op].state()
			stats.Calls[name] = callStats{Count: state.count, Errors: state.failed, Seconds: state.total.Seconds()}
		}
		if c.link != nil {
			link := c.link.PubSubStats()
			stats.Link = &linkStats{Up: link.Up, Losses: link.Lost, Resyncs: link.Syncs, Gaps: link.Gaps}
		}
		all = append(all, stats)
	}
	return all
}

// roomStats are what the operator is shown of a room that has connections on this
// node.
type roomStats struct {
	ID          string  `json:"id"`
	Store       string  `json:"store"`
	Connections int     `json:"connections"`
	Online      int     `json:"online"`
	StartedAt   *string `json:"started_at"`
	ExpiresAt   *string `json:"expires_at"`
	Seq         uint64  `json:"seq"`
}

// roomsOf returns the rooms, those with the most connections first.
func roomsOf(selected []*chat) []roomStats {
	all := make([]roomStats, 0)
	for _, c := range selected {
		for _, r := range c.hub.Rooms() {
			all = append(all, roomStats{
				ID:          r.ID,
				Store:       c.name,
				Connections: r.Connections,
				Online:      r.Online,
				StartedAt:   formatTime(r.StartedAt),
				ExpiresAt:   formatTime(r.Deadline),
				Seq:         r.Seq,
			})
		}
	}
	slices.SortFunc(all, func(a, b roomStats) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// deleteRooms ends a room, as its admin could: on every node, and at once. It does
// not take the name of the store, as no two rooms that people create have one id;
// standing rooms of several stores may. A store that cannot be asked is of no matter
// if another one has the room.
func deleteRooms(w http.ResponseWriter, r *http.Request, selected []*chat, roomID string) error {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	deleted := false
	var failed error
	for _, c := range selected {
		err := deleteRoom(ctx, c.store, roomID)
		switch {
		case err == nil:
			deleted = true
			c.tell(eventRoomEnded, roomID, "", "reason", string(room.EndDeleted))
		case !errors.Is(err, room.ErrRoomNotFound):
			failed = fmt.Errorf("%s: %s", c.name, apierror.Message(err))
		}
	}
	switch {
	case deleted:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case failed != nil:
		return adminError(http.StatusServiceUnavailable, failed)
	default:
		return adminError(http.StatusNotFound, room.ErrRoomNotFound)
	}
}

// deleteRoom ends the life of a room that it is in.
func deleteRoom(ctx context.Context, store room.Store, roomID string) error {
	if !room.ValidID(roomID) {
		return room.ErrRoomNotFound
	}
	found, err := store.Load(ctx, roomID)
	if err != nil {
		return err
	}
	return store.Delete(ctx, found.InstanceID())
}

// Interface guards
var _ caddy.AdminRouter = AdminAPI{}
