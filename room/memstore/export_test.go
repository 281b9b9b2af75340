package memstore

// Secrets returns the very slices in which a store keeps the key and the
// password hashes of a room.
func Secrets(s *Store, roomID string) [][]byte {
	l, _, err := s.lock(roomID)
	if err != nil {
		return nil
	}
	defer l.mu.Unlock()
	return [][]byte{l.room.Key, l.room.Password, l.room.AdminPassword}
}

// Remains names what a store holds of a room that has ended.
func Remains(s *Store, roomID string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.rooms[roomID] != nil {
		return []string{"the room itself"}
	}
	return nil
}
