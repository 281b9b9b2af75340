package room

// PubSub is implemented by stores that receive the events of other nodes over a
// connection.
type PubSub interface {
	Store
	// PubSubStats returns the state of that connection without any I/O. It is safe
	// for concurrent use.
	PubSubStats() PubSubStats
}

// PubSubStats are the state of a store's pub/sub connection, and its counts since
// the store was opened.
type PubSubStats struct {
	// Up is false while events may be missed: the node watches rooms, and the
	// connection is lost or cannot be made.
	Up bool `json:"up"`
	// Lost counts the losses of the connection.
	Lost uint64 `json:"losses"`
	// Syncs counts comparisons of a room with the store, after events of the room
	// were missed or had become doubtful.
	Syncs uint64 `json:"resyncs"`
	// Gaps counts comparisons that found messages lost for good (EventGap).
	Gaps uint64 `json:"gaps"`
}
