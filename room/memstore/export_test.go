package memstore

// Remains lists the data that a store still holds of a room that has ended.
func Remains(s *Store, roomID string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.rooms[roomID] != nil {
		return []string{"the room itself"}
	}
	return nil
}
