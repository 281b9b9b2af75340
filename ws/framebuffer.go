package ws

import (
	"errors"
	"io"
	"sync"
)

// minScratch is how many bytes a scratch has at first.
const minScratch = 512

// scratch is memory for a frame while it is decoded. It is used again, for frames of
// any room, and holds nothing in between.
type scratch struct{ bytes []byte }

var scratches = sync.Pool{New: func() any { return &scratch{make([]byte, 0, minScratch)} }}

func takeScratch() *scratch {
	s, _ := scratches.Get().(*scratch)
	return s
}

// fill reads all that there is. Unlike bytes.Buffer, it leaves nothing behind where
// the memory was too small.
func (s *scratch) fill(r io.Reader) error {
	for {
		if len(s.bytes) == cap(s.bytes) {
			larger := make([]byte, len(s.bytes), 2*cap(s.bytes))
			copy(larger, s.bytes)
			clear(s.bytes)
			s.bytes = larger
		}
		n, err := r.Read(s.bytes[len(s.bytes):cap(s.bytes)])
		s.bytes = s.bytes[:len(s.bytes)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// release wipes it. A large one is rare, and left to the collector.
func (s *scratch) release() {
	clear(s.bytes)
	s.bytes = s.bytes[:0]
	if cap(s.bytes) <= minFrameLimit {
		scratches.Put(s)
	}
}
