package sfu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// walker is one peer in the random walk. Its packets carry its number.
type walker struct {
	leg *leg
	id  uint32
	// room is set before Join and reset after Leave; 0 is none.
	room atomic.Int32
	// bursts tells the sending goroutine how many packets to send.
	bursts chan int
}

// TestMediaNeverCrossesRooms: peers join and leave rooms at random while all of
// them send all the time. At the moment that somebody gets a packet, he and its
// sender must be in the same room: Leave does not return before.
func TestMediaNeverCrossesRooms(t *testing.T) {
	const peers, names, steps = 16, 6, 200
	rs := newRooms()
	walkers := make([]*walker, peers)
	var crossed, wrong atomic.Int64
	for i := range walkers {
		l, out := newTestLeg(uint32(1000 * (i + 1)))
		w := &walker{leg: l, id: uint32(i), bursts: make(chan int)}
		walkers[i] = w
		out.onMedia = func(b []byte) {
			var p packet
			p.parse(b)
			from := binary.BigEndian.Uint32(p.payload[len(keyFrame):])
			room := w.room.Load()
			crossed.Add(1)
			if from == w.id || room == 0 || walkers[from].room.Load() != room {
				wrong.Add(1)
			}
		}
		rs.setReady(l, 0)
	}
	var running sync.WaitGroup
	for _, w := range walkers {
		running.Go(w.send)
		running.Go(func() { w.walk(t, rs, names, steps) })
	}
	running.Wait()
	if rooms, pairs := rs.counts(); rooms != 0 || pairs != 0 {
		t.Errorf("%d rooms and %d pairs are left", rooms, pairs)
	}
	if wrong.Load() > 0 {
		t.Errorf("%d of %d packets crossed rooms", wrong.Load(), crossed.Load())
	}
	if crossed.Load() == 0 {
		t.Error("no packet was forwarded at all")
	}
	for _, w := range walkers {
		if w.leg.room != nil || w.leg.from.to.Load() != nil || w.leg.to.to.Load() != nil {
			t.Errorf("peer %d is still wired", w.id)
		}
	}
}

// send sends the bursts it is told to, until there are no more.
func (w *walker) send() {
	r := raw{pt: ptVP8, ssrc: 7, ext: []byte{0x31, 0, 0}}
	now := time.Duration(0)
	for n := range w.bursts {
		for range n {
			now += 10 * time.Millisecond
			r.seq++
			r.ts += 900
			r.ext[1], r.ext[2] = byte(r.seq>>8), byte(r.seq)
			b := binary.BigEndian.AppendUint32(append([]byte(nil), keyFrame...), w.id)
			w.leg.receiveRTP(r.bytes(b...), now, nil)
		}
	}
}

// walk joins a room, stays for one burst, and leaves in the middle of another.
func (w *walker) walk(t *testing.T, rs *rooms, names, steps int) {
	defer close(w.bursts)
	random := rand.New(rand.NewPCG(uint64(w.id), 3))
	for range steps {
		room := 1 + random.IntN(names)
		w.room.Store(int32(room))
		wired, err := rs.join(w.leg, fmt.Sprint(room), 0)
		if err != nil {
			w.room.Store(0)
			if !errors.Is(err, errRoomFull) {
				t.Errorf("join: %v", err)
			}

			continue
		}
		wired.greet(0)
		w.bursts <- 1 + random.IntN(8)
		runtime.Gosched() // on one processor nobody would report before it leaves
		w.bursts <- 1 + random.IntN(8)
		rs.leave(w.leg)
		w.room.Store(0)
	}
}

func TestRooms(t *testing.T) {
	rs := newRooms()
	a, aOut := newTestLeg(10)
	b, _ := newTestLeg(20)
	join := func(l *leg, name string) error {
		_, err := rs.join(l, name, 0)

		return err
	}
	if err := errors.Join(join(a, "x"), join(a, "x"), join(b, "x")); err != nil {
		t.Fatal(err)
	}
	if err := join(a, "y"); !errors.Is(err, errElsewhere) {
		t.Errorf("two rooms: %v", err)
	}
	if a.to.to.Load() != nil {
		t.Error("wired before it was connected")
	}
	rs.setReady(a, 0)
	if wired := rs.setReady(b, 0); len(wired) != 2 {
		t.Errorf("wired %d sides", len(wired))
	}
	if wired := rs.setReady(b, 0); wired != nil {
		t.Error("wired twice")
	}
	rs.leave(b)
	rs.leave(b)
	picture := newCamera(b, 5)
	picture.frame(keyFrame)
	if got := aOut.sent(t, video); len(got) != 0 {
		t.Errorf("%d packets crossed after leave", len(got))
	}
	if err := join(b, "x"); err != nil || a.to.to.Load() == nil {
		t.Errorf("coming back: %v", err)
	}
	picture.frame(keyFrame)
	if got := aOut.sent(t, video); len(got) != 1 {
		t.Errorf("%d packets crossed after coming back", len(got))
	}
	rs.leave(a)
	rs.leave(b)
	if rooms, pairs := rs.counts(); rooms != 0 || pairs != 0 {
		t.Errorf("%d rooms and %d pairs are left", rooms, pairs)
	}
}

// TestCompatible: what decides is what each side sends, not what it has.
func TestCompatible(t *testing.T) {
	vp8, h264 := codec{name: codecVP8}, codec{name: codecH264, profile: 0x4201}
	full := testMedia(1)
	only := func(c codec) *media {
		m := testMedia(2)
		m.sends[video] = c
		for pt := range m.payloads {
			if p := &m.payloads[pt]; p.codec.kind() == video && p.codec != c {
				*p = payload{repair: noPayload}
			}
		}

		return m
	}
	silent := only(h264)
	silent.receives[video] = false
	for name, c := range map[string]struct {
		a, b *media
		want bool
	}{
		"same":                     {full, full, true},
		"one has less":             {full, only(vp8), true},
		"one cannot show":          {full, only(h264), false},
		"nothing in common":        {only(vp8), only(h264), false},
		"one shows nothing at all": {full, silent, true},
	} {
		if got := compatible(c.a, c.b); got != c.want || compatible(c.b, c.a) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFeedbackNeverCrossesRooms: at the moment that somebody hears what
// somebody else says about his packets, the two are in the same room. Media and
// feedback of all peers come at once, and all re-wire all the time.
func TestFeedbackNeverCrossesRooms(t *testing.T) {
	for range 20 {
		if walkAndReport(t) > 0 || t.Failed() {
			return
		}
	}
	t.Error("no report ever came to anybody")
}

// walkAndReport returns how many reports came to somebody, which on a busy
// machine may be none.
func walkAndReport(t *testing.T) int64 {
	t.Helper()
	const peers, names, steps = 8, 3, 300
	rs := newRooms()
	walkers := make([]*walker, peers)
	var crossed, wrong atomic.Int64
	var running sync.WaitGroup
	for i := range walkers {
		l, out := newTestLeg(uint32(1000 * (i + 1)))
		w := &walker{leg: l, id: uint32(i), bursts: make(chan int)}
		walkers[i] = w
		arrived := make(chan [2]uint16, 64) // sequence and transport-wide number
		out.onMedia = func(b []byte) {
			var p packet
			p.parse(b)
			if v := p.find(3); len(v) == 2 {
				select {
				case arrived <- [2]uint16{p.seq, uint16(v[0])<<8 | uint16(v[1])}:
				default:
				}
			}
		}
		out.onControl = func(b []byte) {
			if b[1] != 201 || len(b) < rtcpHeadSize+reportBlockSize {
				return
			}
			block := parseBlock(b[rtcpHeadSize:])
			if block.fraction == 0 {
				return // the relay's own, or the first of a wiring
			}
			from := block.fraction - 1
			crossed.Add(1)
			if room := w.room.Load(); room == 0 || walkers[from].room.Load() != room {
				wrong.Add(1)
			}
		}
		rs.setReady(l, 0)
		running.Go(func() {
			w.send()
			close(arrived)
		})
		running.Go(func() { w.walk(t, rs, names, steps) })
		running.Go(func() { w.report(arrived) })
	}
	running.Wait()
	if wrong.Load() > 0 {
		t.Errorf("%d of %d reports crossed rooms", wrong.Load(), crossed.Load())
	}

	return crossed.Load()
}

// report says for each packet that it came; how much was lost says who says so.
func (w *walker) report(arrived <-chan [2]uint16) {
	m := w.leg.media.Load()
	now := time.Duration(0)
	var writer ccWriter
	for n := range arrived {
		now += 10 * time.Millisecond
		b := (&reportBlock{ssrc: m.ssrc[video], highest: uint32(n[0]), fraction: uint8(w.id + 1)}).append([]byte{0x81, 201, 0, 7, 0, 0, 0, 1})
		w.leg.receiveRTCP(b, now, nil)
		writer.add(n[1], true, int64(now/ccTick))
		w.leg.receiveRTCP(writer.flush(1, m.ssrc[video], 0), now, nil)
		w.leg.wantKeyFrame(now, nil)
	}
}
