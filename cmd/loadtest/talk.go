package main

import "time"

// talk is what a client has heard since the last match, from whom.
type talk struct{ from []voice }

// voice is the media of one sender.
type voice struct {
	sender int
	n      [kinds]int
	first  [kinds]time.Duration // when the first packet came, by the pump's clock
}

// heard notes a decrypted packet.
func (t *talk) heard(sender int, k kind, now time.Duration) {
	v := t.voice(sender)
	if v == nil {
		t.from = append(t.from, voice{sender: sender})
		v = &t.from[len(t.from)-1]
	}
	if v.n[k]++; v.n[k] == 1 {
		v.first[k] = now
	}
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
