package baseline

import (
	"slices"

	"github.com/gorilla/websocket"
)

// direct implements Direct.
type direct struct {
	members []*member
}

func (d *direct) join(m *member) { d.members = append(d.members, m) }

func (d *direct) leave(m *member) { d.members = without(d.members, m) }

func (d *direct) deliver(payload []byte) {
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, payload)
	if err != nil {
		panic(err) // only an invalid message type is an error
	}
	for _, m := range d.members {
		m.mu.Lock()
		_ = m.ws.WritePreparedMessage(prepared) // the connection's reader fails as well
		m.mu.Unlock()
	}
}

// without removes a member. The last one takes its place.
func without(members []*member, m *member) []*member {
	last := len(members) - 1
	if i := slices.Index(members, m); i >= 0 {
		members[i], members[last] = members[last], nil
		members = members[:last]
	}
	return members
}
