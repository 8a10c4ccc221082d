package sfu

import (
	"runtime"
	"testing"
	"time"

	"github.com/pion/srtp/v3"
)

// TestTenThousandRounds: people join, send, switch and leave ten thousand times
// and nothing is left of it: no room, no goroutine, no memory.
func TestTenThousandRounds(t *testing.T) {
	rs := newRooms()
	var people []*laneClient
	for i := range uint32(4) {
		c := newLaneClient(t, 1000*(i+1), srtp.ProtectionProfileAeadAes128Gcm)
		rs.setReady(c.leg, 0)
		people = append(people, c)
	}
	r := make([]raw, len(people))
	for i := range r {
		r[i] = raw{pt: ptVP8, ssrc: uint32(1000*(i+1) + 101), ext: []byte{0x31, 0, 0}}
	}
	var now time.Duration
	round := func(i int) {
		a := i % len(people)
		b := (a + 1 + i/len(people)%(len(people)-1)) % len(people)
		for _, at := range []int{a, b} {
			wired, err := rs.join(people[at].leg, "room", now)
			if err != nil {
				t.Fatal(err)
			}
			wired.greet(now)
		}
		for range 5 {
			now += 20 * time.Millisecond
			for _, at := range []int{a, b} {
				r[at].seq++
				r[at].ts += 1800
				r[at].ext = []byte{0x31, byte(r[at].seq >> 8), byte(r[at].seq)}
				people[at].send(t, r[at].bytes(keyFrame...), now)
			}
		}
		rs.leave(people[a].leg)
		rs.leave(people[b].leg)
		for _, p := range people {
			p.out.sent = p.out.sent[:0]
		}
	}
	for i := range 1000 { // caches and pools fill
		round(i)
	}
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	for i := range 10_000 {
		round(i)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines more", n-goroutines)
	}
	if grown := heapInUse() - heap; grown > 256<<10 {
		t.Errorf("%d bytes more in use", grown)
	}
	if rooms, pairs := rs.counts(); rooms+pairs != 0 {
		t.Errorf("%d rooms and %d pairs are left", rooms, pairs)
	}
	if got := people[0].leg.count.snapshot(); got.PacketsSent < 10_000 {
		t.Errorf("only %d packets were forwarded to the first: %+v", got.PacketsSent, got)
	}
}

// heapInUse is what the garbage collector leaves.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc)
}
