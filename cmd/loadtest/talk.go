package main

import (
	"slices"
	"time"
)

const (
	// Media may overtake the messages about it by this: that the last call has
	// ended, and that another has begun.
	overtakeTime = 50 * time.Millisecond
	// A packet of the last partner may be this late, on its way through the network.
	lingerTime = 200 * time.Millisecond
)

// talk is what a client has heard lately, from whom.
type talk struct{ from []voice }

// voice is the media of one sender. Times are the pump's.
type voice struct {
	sender      int
	n           [kinds]int
	first       [kinds]time.Duration
	start, last time.Duration // of either kind
}

// heard notes a decrypted packet.
func (t *talk) heard(sender int, k kind, now time.Duration) {
	v := t.voice(sender)
	if v == nil {
		t.from = append(t.from, voice{sender: sender, start: now})
		v = &t.from[len(t.from)-1]
	}
	if v.n[k]++; v.n[k] == 1 {
		v.first[k] = now
	}
	v.last = now
}

// voice returns what was heard of a sender, nil if nothing was.
func (t *talk) voice(sender int) *voice {
	for i := range t.from {
		if t.from[i].sender == sender {
			return &t.from[i]
		}
	}

	return nil
}

// forget drops all whose first packet came before a time.
func (t *talk) forget(before time.Duration) {
	t.from = slices.DeleteFunc(t.from, func(v voice) bool { return v.start < before })
}

// strays counts senders other than the partner who were heard in a call. The
// partner of the call before may be heard for a moment at its beginning, and that
// of the next one at its end.
func (t *talk) strays(partner, previous int, from, to time.Duration) (n uint64) {
	for _, v := range t.from {
		late := v.sender == previous && v.last < from+lingerTime
		if v.sender != partner && v.start < to-overtakeTime && !late {
			n++
		}
	}

	return n
}
