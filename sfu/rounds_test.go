package sfu

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/pion/srtp/v3"
)

// gathering is people on lanes who come by the sockets of two addresses, one worker.
type gathering struct {
	t      *testing.T
	rs     *rooms
	groups [2]*group
	outs   [2]*outlet
	worker *burst
	people []*laneClient
	raws   []raw
	now    time.Duration
	came   int // packets of media that went out
	places int // addresses that clients were at
}

func newGathering(t *testing.T, size int) *gathering {
	c := &gathering{t: t, rs: newRooms(), worker: &burst{count: &planeCounters{}}}
	for i := range c.groups {
		c.outs[i] = &outlet{}
		c.groups[i] = &group{table: newAddresses(), conns: []batchConn{c.outs[i]}}
	}
	c.people, c.raws = make([]*laneClient, size), make([]raw, size)
	for i := range c.people {
		c.enter(i)
	}

	return c
}

// enter connects the i-th person.
func (c *gathering) enter(i int) {
	ssrc := uint32(1000 * (i + 1))
	p := newLaneClient(c.t, ssrc, srtp.ProtectionProfileAeadAes128Gcm)
	p.via = c.worker
	c.people[i], c.raws[i] = p, raw{pt: ptVP8, ssrc: ssrc + 101}
	p.lane.known = [2]*destination{}
	c.move(i)
	c.rs.setReady(p.leg, c.now)
}

// move gives the i-th person another address, of one group or the other.
func (c *gathering) move(i int) {
	c.places++
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(c.places % 7)}), uint16(1+c.places%60_000))
	c.people[i].lane.move(&destination{addr: at, group: c.groups[c.places%2]})
}

// exit closes the i-th person's connection.
func (c *gathering) exit(i int) {
	c.rs.leave(c.people[i].leg)
	c.people[i].lane.close()
}

// meet has two people talk.
func (c *gathering) meet(a, b int) {
	for _, i := range []int{a, b} {
		wired, err := c.rs.join(c.people[i].leg, "room", c.now)
		if err != nil {
			c.t.Fatal(err)
		}
		wired.greet(c.now)
	}
	for step := range 5 {
		if step == 2 {
			c.move(a)
		}
		c.now += 20 * time.Millisecond
		for _, i := range []int{a, b} {
			r := &c.raws[i]
			r.seq++
			r.ts += 1800
			r.ext = []byte{0x31, byte(r.seq >> 8), byte(r.seq)}
			c.people[i].send(c.t, r.bytes(keyFrame...), c.now)
		}
	}
	for _, o := range c.outs {
		for _, b := range o.sent {
			if !isControl(b) {
				c.came++
			}
		}
		o.sent = o.sent[:0]
	}
}

// addresses is how many are known.
func (c *gathering) addresses() int { return c.groups[0].table.count() + c.groups[1].table.count() }

// TestTenThousandRounds: people connect, join, send, move to other addresses,
// switch, leave and end their connections ten thousand times, and nothing is left
// of it: no room, no goroutine, no address, no memory.
func TestTenThousandRounds(t *testing.T) {
	c := newGathering(t, 4)
	round := func(i int) {
		a := i % 4
		b, other := (a+1+i/4%3)%4, (a+1+(i/4+1)%3)%4
		c.exit(a)
		c.enter(a)
		c.meet(a, b)
		c.rs.leave(c.people[a].leg) // and on to the next
		c.rs.leave(c.people[b].leg)
		c.meet(a, other)
		c.rs.leave(c.people[a].leg)
		c.rs.leave(c.people[other].leg)
		if n := c.addresses(); n > 2*len(c.people) {
			t.Fatalf("round %d: %d addresses of %d people", i, n, len(c.people))
		}
	}
	for i := range 500 { // caches and pools fill
		round(i)
	}
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	c.came = 0
	for i := range 10_000 {
		round(i)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines more", n-goroutines)
	}
	if grown := heapInUse() - heap; grown > 256<<10 {
		t.Errorf("%d bytes more in use", grown)
	}
	if rooms, pairs := c.rs.counts(); rooms+pairs != 0 {
		t.Errorf("%d rooms and %d pairs are left", rooms, pairs)
	}
	if c.came < 10*2*10_000 {
		t.Errorf("only %d packets were forwarded", c.came)
	}
	for i := range c.people {
		c.exit(i)
	}
	if n := c.addresses(); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
	clear(c.people)
	if left := heapInUse() - heap; left > 0 {
		t.Errorf("%d bytes are left of people who are gone", left)
	}
	runtime.KeepAlive(c)
}

// heapInUse is what the garbage collector leaves.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc)
}
