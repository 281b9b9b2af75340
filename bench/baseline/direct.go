package baseline

import (
	"github.com/gorilla/websocket"
)

// directSink is Direct.
type directSink struct {
	members []*member
}

func (s *directSink) join(m *member) { s.members = append(s.members, m) }

func (s *directSink) leave(m *member) { s.members = without(s.members, m) }

func (s *directSink) deliver(payload []byte) {
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, payload)
	if err != nil {
		panic(err) // not with this type
	}
	for _, m := range s.members {
		m.mu.Lock()
		_ = m.ws.WritePreparedMessage(prepared) // its reader fails as well
		m.mu.Unlock()
	}
}

// without removes a member. The order of the others changes.
func without(members []*member, m *member) []*member {
	for i, other := range members {
		if other == m {
			last := len(members) - 1
			members[i], members[last] = members[last], nil
			return members[:last]
		}
	}
	return members
}
