package load_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

func TestSequence(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                        string
		seen                        []uint64
		newest                      uint64
		lost, duplicated, reordered uint64
	}{
		{"all in order", []uint64{1, 2, 3, 4}, 4, 0, 0, 0},
		{"no messages", nil, 0, 0, 0, 0},
		{"none came", nil, 5, 5, 0, 0},
		{"the last is missing", []uint64{1, 2, 3}, 4, 1, 0, 0},
		{"one is missing", []uint64{1, 3, 4}, 4, 1, 0, 0},
		{"some are missing", []uint64{1, 5, 8}, 9, 6, 0, 0},
		{"twice in a row", []uint64{1, 2, 2, 3}, 3, 0, 1, 0},
		{"again, later", []uint64{1, 2, 3, 1}, 3, 0, 1, 0},
		{"two exchanged", []uint64{1, 3, 2, 4}, 4, 0, 0, 1},
		{"one much later, and again", []uint64{1, 3, 4, 2, 2}, 4, 0, 1, 1},
	} {
		var sequence load.Sequence
		distinct := uint64(0)
		for _, seq := range test.seen {
			if sequence.Observe(seq) {
				distinct++
			}
		}
		lost := sequence.Lost(test.newest)
		duplicated, reordered := sequence.Counts()
		if lost != test.lost || duplicated != test.duplicated || reordered != test.reordered {
			t.Errorf("%s: %d lost, %d doubled, %d reordered; want %d, %d, %d",
				test.name, lost, duplicated, reordered, test.lost, test.duplicated, test.reordered)
		}
		if distinct+lost != test.newest {
			t.Errorf("%s: %d were new and %d lost, of %d", test.name, distinct, lost, test.newest)
		}
	}
}
