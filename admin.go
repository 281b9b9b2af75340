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

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/instrument"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// adminPath is the path of the chat in Caddy's admin API.
const adminPath = "/ephemeral_chat/"

// adminTimeout bounds the calls of stores for an admin request.
const adminTimeout = 5 * time.Second

func init() { caddy.RegisterModule(AdminAPI{}) }

// AdminAPI adds endpoints under `/ephemeral_chat/` to Caddy's admin API. They return the
// statistics of this node and the rooms with connections on it. They delete a room, which
// admins need against abuse. They do not show messages, names of rooms or secrets.
type AdminAPI struct{}

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.ephemeral_chat", New: func() caddy.Module { return new(AdminAPI) }}
}

// Routes implements caddy.AdminRouter.
func (AdminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminPath, Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	selected, err := selectStores(r)
	if err != nil {
		return err
	}
	path := strings.TrimPrefix(r.URL.Path, adminPath)
	roomID, isRoom := strings.CutPrefix(path, "rooms/")
	methods := []string{http.MethodGet, http.MethodHead}
	switch {
	case isRoom && roomID != "":
		methods = []string{http.MethodDelete}
	case path != "" && path != "rooms" && !isRoom:
		return adminError(http.StatusNotFound, errors.New("no such endpoint"))
	}
	if !slices.Contains(methods, r.Method) {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return adminError(http.StatusMethodNotAllowed, errors.New("method not allowed"))
	}
	switch {
	case r.Method == http.MethodDelete:
		return deleteRooms(w, r, selected, roomID)
	case path != "":
		return answerAdmin(w, map[string]any{"rooms": roomsOf(selected)})
	}
	stats, err := statsOf(selected)
	if err != nil {
		return err
	}
	return answerAdmin(w, map[string]any{"stores": stats})
}

func adminError(status int, err error) error { return caddy.APIError{HTTPStatus: status, Err: err} }

// selectStores returns the store that the query of a request names, or all stores.
func selectStores(r *http.Request) ([]*sharedStore, error) {
	all := openStores.all()
	name := r.URL.Query().Get("store")
	if name == "" {
		return all, nil
	}
	if i := slices.IndexFunc(all, func(s *sharedStore) bool { return s.name == name }); i >= 0 {
		return all[i : i+1], nil
	}
	return nil, adminError(http.StatusNotFound, fmt.Errorf("no such store: %q", name))
}

func answerAdmin(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(value)
}

// storeStats are the statistics of a store and its connections on this node, since it
// was opened.
type storeStats struct {
	Name   string         `json:"name"`
	Module caddy.ModuleID `json:"module"`
	ws.Stats
	Refusals map[string]map[string]uint64 `json:"refusals"`
	Calls    map[string]instrument.Stats  `json:"store_calls"`
	Link     *room.PubSubStats            `json:"link,omitempty"`
}

func statsOf(selected []*sharedStore) ([]storeStats, error) {
	all := make([]storeStats, 0, len(selected))
	for _, s := range selected {
		calls, err := s.calls.Stats()
		if err != nil {
			return nil, err
		}
		stats := storeStats{Name: s.name, Module: s.key.module, Stats: s.hub.Stats(), Calls: calls}
		stats.Refusals = map[string]map[string]uint64{"http": s.refusals.Counts(), "websocket": stats.Refused}
		if s.pubsub != nil {
			stats.Link = new(s.pubsub.PubSubStats())
		}
		all = append(all, stats)
	}
	return all, nil
}

// roomStats are the statistics of a room with connections on this node.
type roomStats struct {
	ws.RoomStats
	Store     string  `json:"store"`
	StartedAt *string `json:"started_at"` // instead of those of RoomStats
	ExpiresAt *string `json:"expires_at"`
}

// roomsOf returns the rooms, those with the most connections first.
func roomsOf(selected []*sharedStore) []roomStats {
	all := make([]roomStats, 0)
	for _, s := range selected {
		for _, r := range s.hub.Rooms() {
			all = append(all, roomStats{r, s.name, api.FormatTime(r.StartedAt), api.FormatTime(r.Deadline)})
		}
	}
	slices.SortFunc(all, func(a, b roomStats) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// deleteRooms deletes a room from the selected stores, at once and on all nodes. Ids of
// created rooms are unique, but several stores may have a declared room of the same id.
// A store that does not answer is ignored if another store has the room.
func deleteRooms(w http.ResponseWriter, r *http.Request, selected []*sharedStore, roomID string) error {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	deleted := false
	var failed error
	for _, s := range selected {
		err := deleteRoom(ctx, s.store, roomID)
		switch {
		case err == nil:
			deleted = true
			s.RoomDeleted(roomID, "")
		case !errors.Is(err, room.ErrRoomNotFound):
			failed = fmt.Errorf("%s: %s", s.name, apierror.Message(err))
		}
	}
	switch {
	case deleted:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case failed != nil:
		return adminError(http.StatusServiceUnavailable, failed)
	}
	return adminError(http.StatusNotFound, room.ErrRoomNotFound)
}

// deleteRoom deletes the current instance of a room.
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
