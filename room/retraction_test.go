package room_test

import (
	"slices"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

func TestRetractions(t *testing.T) {
	var r room.Retractions
	for _, seq := range []uint64{5, 3, 9, 3, 7, 5, 1} {
		there := r.Has(seq)
		if r.Add(seq) == there || !r.Has(seq) {
			t.Errorf("adding %d, there %v", seq, there)
		}
	}
	for _, c := range []struct {
		first, last uint64
		want        []uint64
	}{
		{0, 100, []uint64{1, 3, 5, 7, 9}},
		{1, 9, []uint64{1, 3, 5, 7, 9}},
		{2, 8, []uint64{3, 5, 7}},
		{3, 3, []uint64{3}},
		{4, 4, nil},
		{10, 20, nil},
		{8, 2, nil},
		{0, 0, nil},
	} {
		if got := r.Between(c.first, c.last); !slices.Equal(got, c.want) {
			t.Errorf("between %d and %d: %v, want %v", c.first, c.last, got, c.want)
		}
	}
	r.DropBelow(3)
	if !slices.Equal(r, []uint64{3, 5, 7, 9}) {
		t.Errorf("from 3 on: %v", r)
	}
	r.DropBelow(4)
	r.DropAbove(8)
	if !slices.Equal(r, []uint64{5, 7}) {
		t.Errorf("from 4 to 8: %v", r)
	}
	r.DropAbove(7)
	r.DropBelow(5)
	if !slices.Equal(r, []uint64{5, 7}) || r.Has(6) {
		t.Errorf("from 5 to 7: %v", r)
	}
	r.DropAbove(0)
	if len(r) > 0 {
		t.Errorf("none are left: %v", r)
	}
	r.DropBelow(10)
	r.DropAbove(10)
	if r.Has(0) || !r.Add(2) {
		t.Errorf("anew: %v", r)
	}
}
