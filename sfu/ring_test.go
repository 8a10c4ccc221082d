package sfu

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// store keeps a packet.
func (r *ring) store(seq uint16, b []byte, now time.Duration) {
	if s := r.claim(seq, len(b), now); s != nil {
		s.keep(copy(s.data[:], b), true)
	}
}

func TestRing(t *testing.T) {
	r := &ring{}
	r.store(5, []byte{5, 5}, 0)
	if b, _, ok := r.fetch(5, time.Second, 0, []byte{1}); !ok || !bytes.Equal(b, []byte{1, 5, 5}) {
		t.Errorf("fetched %v, %v", b, ok)
	}
	if _, _, ok := r.fetch(5, time.Second, time.Millisecond, nil); ok {
		t.Error("fetched again at once")
	}
	r.store(5+ringSize, []byte{6}, 0)
	if _, _, ok := r.fetch(5, time.Hour, 0, nil); ok {
		t.Error("fetched what is gone")
	}
	r.store(7, make([]byte, ringPacket+1), 0)
	if _, _, ok := r.fetch(7, time.Hour, 0, nil); ok {
		t.Error("fetched half of what is too large")
	}
	if _, _, ok := r.fetch(0, time.Hour, 0, nil); ok {
		t.Error("fetched what never was")
	}
}

// TestRingClaim: who claims a slot has it alone, and a packet for which there is
// no room counts all the same: what is old must not become new by it.
func TestRingClaim(t *testing.T) {
	r := &ring{}
	s := r.claim(5, 3, 0)
	if _, _, ok := r.fetch(5, time.Second, 0, nil); ok {
		t.Error("fetched what is not written yet")
	}
	if _, ok := r.peek(5, nil); ok {
		t.Error("peeked at what is not written yet")
	}
	if r.claim(5, 3, 0) != nil {
		t.Error("claimed twice")
	}
	s.keep(copy(s.data[:], "abc"), true)
	if b, _, ok := r.fetch(5, time.Second, 0, nil); !ok || string(b) != "abc" {
		t.Errorf("fetched %q, %v", b, ok)
	}
	r.store(6, []byte{6}, 0)
	for seq := uint16(7); seq != 5; seq++ { // once round, but for one
		r.pass(seq, 0)
	}
	for seq := range 1 << 16 {
		if b, _, ok := r.fetch(uint16(seq), time.Hour, 0, nil); ok {
			t.Errorf("fetched %v as %d", b, seq)
		}
	}
}

// TestRingForgets: a publisher may leave out numbers, so that a packet is not
// overwritten before they come round. To send it then, under a nonce that is
// another packet's, would break the encryption.
func TestRingForgets(t *testing.T) {
	r := &ring{}
	r.store(5, []byte{5}, 0)
	for seq := 1000; seq < 1<<16; seq += 1000 {
		r.store(uint16(seq), []byte{1}, 0)
	}
	r.store(10, []byte{10}, 0)
	if b, _, ok := r.fetch(5, time.Second, 0, nil); ok {
		t.Errorf("fetched %v of the last time round", b)
	}
	r.store(65536+9-ringSize, []byte{2}, 0)
	r.store(65536+10-ringSize, []byte{3}, 0) // its place is taken by a newer one
	for seq, want := range map[uint16]bool{10: true, 65536 + 9 - ringSize: false, 65536 + 10 - ringSize: false} {
		if _, _, ok := r.fetch(seq, time.Second, 0, nil); ok != want {
			t.Errorf("fetched %d: %v", seq, ok)
		}
	}
}

// TestRingTogether stores and fetches at the same time: what is fetched is
// always a whole packet.
func TestRingTogether(t *testing.T) {
	r := &ring{}
	var running sync.WaitGroup
	running.Go(func() {
		for seq := range uint16(20000) {
			r.store(seq, bytes.Repeat([]byte{byte(seq)}, 100+int(seq)%1000), time.Duration(seq))
		}
	})
	running.Go(func() {
		buffer := make([]byte, 0, maxPacket)
		for seq := range uint16(20000) {
			b, _, ok := r.fetch(seq, time.Hour, 0, buffer)
			if ok && !bytes.Equal(b, bytes.Repeat([]byte{byte(seq)}, 100+int(seq)%1000)) {
				t.Errorf("packet %d was torn", seq)
			}
		}
	})
	running.Wait()
}

// TestForwardingDoesNotAllocate holds the promise that the benchmark prints.
func TestForwardingDoesNotAllocate(t *testing.T) {
	publisher, _ := pairInMemory(t)
	publisher.up.nextReport, publisher.up.nextLimit = time.Hour, time.Hour
	c := newCamera(publisher, 7)
	packet := c.raw.bytes(keyFrame...)
	seq := uint16(0)
	if allocations := testing.AllocsPerRun(2000, func() {
		seq++
		packet[2], packet[3] = byte(seq>>8), byte(seq)
		publisher.receiveRTP(packet, time.Duration(seq)*time.Millisecond, nil)
	}); allocations != 0 {
		t.Errorf("%v allocations for each packet", allocations)
	}
}
