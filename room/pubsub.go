package room

// PubSub is implemented by stores that hear over a connection what happens on
// other nodes.
type PubSub interface {
	Store
	// PubSubStats returns the state of that connection. It asks nobody, and is safe
	// for concurrent use.
	PubSubStats() PubSubStats
}

// PubSubStats are the state of a store's connection for events, and what was counted
// since the store was opened.
type PubSubStats struct {
	// Up is false while events may be missed: a room is watched, and the
	// connection is lost or cannot be made.
	Up bool
	// Lost is how often that began.
	Lost uint64
	// Syncs is how often a room was compared with what the store has, after events
	// of it were missed or had to be doubted.
	Syncs uint64
	// Gaps is how often it was found then that messages cannot be told any more
	// (EventGap).
	Gaps uint64
}
