package sfu

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// numberedCall is a call whose publisher has sent that many packets, with
// transport-wide numbers.
func numberedCall(t *testing.T, packets int) (publisher, subscriber *leg, up, down *memory, c *camera) {
	t.Helper()
	publisher, subscriber, up, down, c = call(t)
	for i := range packets {
		c.raw.ext = []byte{0x31, byte(i >> 8), byte(i)}
		c.frame(deltaFrame)
		if i == 0 { // or it would be taken for deaf
			var w ccWriter
			w.add(subscriber.number, true, 0)
			subscriber.receiveRTCP(w.flush(1, 21, 0), c.now, nil)
		}
	}

	return publisher, subscriber, up, down, c
}

// sparse is feedback that says in few bytes of many packets that all of each
// 400 but one are missing.
func sparse(base uint16, chunks int) []byte {
	b := []byte{0x80 | ccFormat, ccType, 0, 0, 0, 0, 0, 1, 0, 0, 0, 21}
	b = binary.BigEndian.AppendUint16(b, base)
	b = binary.BigEndian.AppendUint16(b, uint16(400*chunks))
	b = append(b, 0, 0, 1, 1)
	for range chunks {
		b = binary.BigEndian.AppendUint16(b, 399)
		b = binary.BigEndian.AppendUint16(b, uint16(ccSmall)<<13|1)
	}
	b = append(b, make([]byte, chunks)...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))

	return b
}

// TestWideFeedbackDoesNotMultiply: a subscriber that says in few bytes of many
// packets that they are missing does not make the relay say so at length.
func TestWideFeedbackDoesNotMultiply(t *testing.T) {
	for _, chunks := range []int{160, ccCount / 400, 2} {
		_, subscriber, up, _, c := numberedCall(t, 33_000)
		up.takeControl()
		sent, packets, bytes := 0, 0, 0
		up.onControl = func(b []byte) {
			packets++
			bytes += len(b)
		}
		for i := range 2000 { // ten seconds
			b := sparse(subscriber.number-uint16(400*chunks)+1, chunks)
			sent += len(b)
			subscriber.receiveRTCP(b, c.now+time.Duration(i)*5*time.Millisecond, nil)
		}
		if packets > 4*2000 || bytes > sent {
			t.Errorf("2000 packets, %d bytes, of %d statuses became %d packets, %d bytes", sent, 400*chunks, packets, bytes)
		}
	}
}

// TestWideFeedbackStatusesCost: the police charges what a packet says, not only
// its bytes, and what no receiver says is not even read.
func TestWideFeedbackStatusesCost(t *testing.T) {
	_, subscriber, _, _, c := numberedCall(t, 10)
	if subscriber.receiveRTCP(sparse(subscriber.number, ccCount/400+1), c.now, nil); subscriber.count.dropped[dropMalformed].Load() != 1 {
		t.Errorf("%d statuses were read", ccCount/400*400+400)
	}
	for i := range 500 { // a second
		subscriber.receiveRTCP(sparse(subscriber.number, ccCount/400), c.now+time.Duration(i)*2*time.Millisecond, nil)
	}
	if passed := 500 - subscriber.count.dropped[dropExcess].Load(); passed*ccCount > 50_000 {
		t.Errorf("%d packets passed, %d statuses", passed, passed*ccCount)
	}
}

// TestWideFeedbackSkips: what is skipped is what would have been read.
func TestWideFeedbackSkips(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
		var w ccWriter
		loss := random.Float64()
		for i, at := uint16(0), int64(0); ; i++ {
			at += random.Int64N(500)
			if !w.add(i, random.Float64() >= loss, at) {
				break
			}
		}
		b := w.flush(1, 2, 3)
		if b == nil {
			continue
		}
		all := read(t, b)
		var r ccReader
		if !r.open(b) {
			t.Fatal("refused")
		}
		from, n := random.IntN(len(all)+5)-2, random.IntN(len(all)+5)-2
		r.skip(from)
		r.keep(n)
		var got []status
		for {
			seq, ticks, arrived, ok := r.next()
			if !ok {
				break
			}
			s := status{number: seq, arrived: arrived}
			if arrived {
				s.at = time.Duration(int64(r.reference)*ccReference+ticks) * ccTick
			}
			got = append(got, s)
		}
		from = min(max(from, 0), len(all))
		if want := all[from:min(from+max(n, 0), len(all))]; !slices.Equal(got, want) {
			t.Fatalf("after %d, %d: %v, want %v", from, n, got, want)
		}
	}
}

// TestOwnReportsDoNotWaitForLiars: what is the relay's to report waits for the
// subscriber's feedback, but not for as long as that says that its round trip is,
// and not at all if it came before the two were wired.
func TestOwnReportsDoNotWaitForLiars(t *testing.T) {
	publisher, subscriber, up, _, c := numberedCall(t, 5)
	subscriber.rtt.Store(int64(10 * time.Second))
	subscriber.want(video, false, c.now)
	number, last := byte(5), time.Duration(0)
	for c.now < 3*time.Second {
		c.raw.ext = []byte{0x31, 0, number}
		number++
		c.frame(deltaFrame)
		for _, p := range up.takeControl() {
			if cc, ok := p.(*rtcp.TransportLayerCC); ok && len(statuses(cc)) > 0 {
				last = c.now
			}
		}
	}
	if last < c.now-100*time.Millisecond {
		t.Errorf("at %v the publisher was told last of arrivals, now it is %v", last, c.now)
	}
	r := publisher.to.to.Load()
	r.wide.span.Store(newSpan(publisher.up.arrivals.highest+1, 1)) // as if they were wired now
	c.raw.ext = []byte{0x31, 0, number}
	c.now += arrivalInterval
	c.frame(deltaFrame)
	told := uint16(0)
	for _, p := range up.takeControl() {
		if cc, ok := p.(*rtcp.TransportLayerCC); ok {
			for _, s := range statuses(cc) {
				told = s.number
			}
		}
	}
	if told != uint16(number)-1 {
		t.Errorf("told up to %d of what came before, %d", told, number-1)
	}
}
