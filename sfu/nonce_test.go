package sfu

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
)

// newBook is empty.
func newBook() *nonceBook {
	return &nonceBook{seen: map[nonce][]byte{}, highest: map[uint32]int64{}}
}

// laneClients have RED, and rooms to meet in.
func laneClients(t testing.TB, n int) (rs *rooms, list []*laneClient) {
	t.Helper()
	for i := range uint32(n) {
		c := newLaneClient(t, 1000*(i+1), srtp.ProtectionProfileAeadAes128Gcm)
		c.leg.media.Store(withRED(testMedia(1000*(i+1)), 0))
		list = append(list, c)
	}

	return newRooms(), list
}

// meet wires two clients.
func meet(t testing.TB, rs *rooms, a, b *laneClient) {
	t.Helper()
	for _, c := range []*laneClient{a, b} {
		if _, err := rs.join(c.leg, "room", 0); err != nil {
			t.Fatal(err)
		}
		rs.setReady(c.leg, 0)
	}
}

// TestNoNonceTwiceBySound: a publisher who walks round the numbers by packets
// that are not passed on does not get at those of its partner's former one.
func TestNoNonceTwiceBySound(t *testing.T) {
	rs, list := laneClients(t, 3)
	former, victim, attacker := list[0], list[1], list[2]
	meet(t, rs, former, victim)
	book := newBook()
	now := time.Second
	r := raw{pt: ptOpus, ssrc: 1100, seq: 500, ts: 9}
	for i := range 200 {
		r.seq++
		r.ts += 960
		now += 20 * time.Millisecond
		former.send(t, r.bytes(1, 2, 3, byte(i)), now)
	}
	book.check(t, victim)
	rs.leave(former.leg)
	rs.leave(victim.leg)
	meet(t, rs, attacker, victim)
	r = raw{pt: ptOpus, ssrc: 3100, seq: 700, ts: 9}
	step := func(pt uint8, by uint16, body ...byte) {
		r.pt = pt
		r.seq += by
		now += 20 * time.Millisecond
		attacker.send(t, r.bytes(body...), now)
	}
	step(ptOpus, 1, 9)
	for range 63 {
		step(ptAudioRED, 1024, 0x80) // no RED at all
	}
	if n := attacker.leg.count.dropped[dropCodec].Load(); n != 63 {
		t.Fatalf("%d packets were not passed on", n)
	}
	step(ptOpus, 1024-51, 9)
	for i := range 100 { // through the former one's, from there
		step(ptOpus, 1, 9, byte(i))
	}
	book.check(t, victim)
	if n := victim.leg.count.sentPackets.Load(); n < 250 {
		t.Errorf("%d packets were sent", n)
	}
}

// TestNoNonceTwiceByPicture is the same with pictures that the partner cannot be
// shown, and after it repairs that repeat packets bit for bit.
func TestNoNonceTwiceByPicture(t *testing.T) {
	for _, jump := range []int{39, 63} { // more than half of the way round, and all of it
		rs, list := laneClients(t, 2)
		a, b := list[0], list[1]
		m := testMedia(2000)
		m.payloads[ptH264] = payload{repair: noPayload}
		m.payloads[ptVP8].repair = noPayload
		b.leg.media.Store(m)
		meet(t, rs, a, b)
		book := newBook()
		now := time.Second
		r := raw{ssrc: 1101, seq: 100, ts: 9}
		step := func(pt uint8, by uint16, body ...byte) {
			r.pt = pt
			r.seq += by
			r.ts += 3000
			now += 20 * time.Millisecond
			a.send(t, r.bytes(body...), now)
		}
		nack := func() {
			b.sendControl(t, now, &rtcp.TransportLayerNack{
				MediaSSRC: 2001, Nacks: []rtcp.NackPair{{PacketID: videoSeq(b.out.sent) - 20, LostPackets: 0xff}},
			})
		}
		picture := func(i int) { step(ptVP8, 1, append(bytes.Clone(keyFrame), byte(i>>8), byte(i))...) }
		for i := range 100 {
			picture(i)
		}
		for range jump {
			step(ptH264, 1024, 1, 2, 3)
		}
		step(ptVP8, 1024-40, append(bytes.Clone(keyFrame), 200)...)
		for i := range 70_000 { // more than once round
			picture(i)
			if i%100 == 99 {
				nack()
				book.check(t, b)
			}
		}
		if n := b.leg.count.resent.Load(); n < 1000 {
			t.Errorf("%d packets were repeated", n)
		}
	}
}

// TestNoNonceTwiceByChance lets two publishers in turn send a third client
// whatever may come, in any order, and asks for any of it again.
func TestNoNonceTwiceByChance(t *testing.T) {
	sent, resent := uint64(0), uint64(0)
	for seed := range uint64(20) {
		w := newChance(t, seed)
		for i := range 5000 {
			w.step(t, i)
		}
		w.book.check(t, w.to)
		sent += w.to.leg.count.sentPackets.Load()
		resent += w.to.leg.count.resent.Load()
	}
	if sent < 10_000 || resent < 1000 {
		t.Errorf("%d packets, %d again: that is no test", sent, resent)
	}
}

// chance is a client that gets all that comes to somebody's mind.
type chance struct {
	random *rand.Rand
	rooms  *rooms
	from   []*laneClient // one of whom it talks to
	with   int
	to     *laneClient
	book   *nonceBook
	seq    map[uint32]uint16 // the highest that was sent
	now    time.Duration
}

func newChance(t *testing.T, seed uint64) *chance {
	t.Helper()
	rs, list := laneClients(t, 3)
	w := &chance{
		random: rand.New(rand.NewPCG(seed, 1)), rooms: rs, from: []*laneClient{list[0], list[2]}, to: list[1],
		book: newBook(), seq: map[uint32]uint16{}, now: time.Second,
	}
	m := withRED(testMedia(2000), shifted*uint8(seed%2))
	if seed%4 < 2 { // repairs repeat bit for bit
		for pt := range m.payloads {
			m.payloads[pt].repair = noPayload
		}
		m.repair = 0
	}
	w.to.leg.media.Store(m)
	for _, c := range list {
		c.lane.crowd = func() {}
		c.leg.up.police = newPolice(1e9)
	}
	meet(t, rs, w.from[0], w.to)

	return w
}

func (w *chance) one(in int) bool { return w.random.IntN(in) == 0 }

func (w *chance) step(t *testing.T, i int) {
	t.Helper()
	w.now += time.Duration(w.random.IntN(30)) * time.Millisecond
	if w.one(700) {
		w.rooms.leave(w.from[w.with].leg)
		w.rooms.leave(w.to.leg)
		w.with = 1 - w.with
		meet(t, w.rooms, w.from[w.with], w.to)
	}
	w.from[w.with].send(t, w.packet(i), w.now)
	if w.one(10) {
		w.to.sendControl(t, w.now, &rtcp.TransportLayerNack{MediaSSRC: 2001, Nacks: []rtcp.NackPair{{
			PacketID: videoSeq(w.to.out.sent) - uint16(w.random.IntN(300)), LostPackets: rtcp.PacketBitmap(w.random.Uint32()),
		}}})
	}
	if w.one(500) {
		w.to.leg.want(kind(w.random.IntN(2)), w.one(2), w.now)
	}
	if len(w.to.out.sent) > 300 {
		w.book.check(t, w.to)
	}
}

// packet is of any kind that there is.
func (w *chance) packet(i int) []byte {
	r := raw{ts: uint32(w.now / 11), ssrc: w.from[w.with].leg.down[audio].ssrc + 100}
	list := []uint8{ptOpus, ptAudioRED}
	if !w.one(3) {
		r.ssrc++
		list = []uint8{ptVP8, ptVP8, ptRED, ptRED, ptRED, ptH264, ptFEC, ptRTX, ptREDRTX}
	}
	r.pt = list[w.random.IntN(len(list))]
	if r.pt == ptRTX || r.pt == ptREDRTX {
		r.ssrc++
	}
	r.seq = w.seq[r.ssrc] + w.stride()
	if int16(r.seq-w.seq[r.ssrc]) > 0 {
		w.seq[r.ssrc] = r.seq
	}
	size := w.random.IntN(40)
	if w.one(20) {
		size = w.random.IntN(1500)
	}
	body := make([]byte, size)
	for j := range body {
		body[j] = byte(w.random.Uint32())
	}
	if size > 12 && !w.one(3) {
		w.shape(&r, body)
	}
	if w.one(3) {
		r.ext = []byte{0x31, byte(i >> 8), byte(i)}
	}
	if w.one(8) {
		r.pad = byte(1 + w.random.IntN(255))
	}

	return r.bytes(body...)
}

// stride is how far the next number is from the highest.
func (w *chance) stride() uint16 {
	switch w.random.IntN(40) {
	case 0, 1, 2:
		return uint16(w.random.IntN(5) - 2)
	case 3, 4:
		return -uint16(w.random.IntN(60))
	case 5, 6:
		return uint16(w.random.IntN(2100) - 1050)
	case 7:
		return uint16(w.random.Uint32())
	}

	return 1
}

// shape makes of a body what its payload type promises.
func (w *chance) shape(r *raw, body []byte) {
	switch r.pt {
	case ptVP8:
		copy(body, keyFrame)
	case ptRED:
		body[0] = ptVP8
		copy(body[1:], keyFrame)
		if w.one(3) {
			body[0], body[1] = ptFEC, body[1]&0x40
			binary.BigEndian.PutUint16(body[3:], r.seq-uint16(w.random.IntN(20)))
		}
	case ptRTX, ptREDRTX:
		binary.BigEndian.PutUint16(body, w.seq[r.ssrc-1]-uint16(w.random.IntN(50)))
		if r.pt == ptREDRTX {
			body[2] = ptVP8
		}
	case ptAudioRED:
		body[0] = ptOpus
	}
}

// TestSkippedNumbers: who leaves out more numbers than can be told apart begins
// anew, at the next number; up to there each keeps its place.
func TestSkippedNumbers(t *testing.T) {
	for _, jumps := range []int{maxSkip/1024 - 1, maxSkip / 1024} {
		publisher, up := newTestLeg(10)
		subscriber, down := newTestLeg(20)
		subscriber.media.Load().payloads[ptH264] = payload{repair: noPayload}
		wire(t, publisher, subscriber)
		c := newCamera(publisher, 500)
		c.frame(keyFrame)
		first := down.sent(t, video)[0]
		c.raw.pt = ptH264
		for range jumps {
			c.raw.seq += 1023
			c.frame([]byte{1, 2, 3})
		}
		up.takeControl()
		c.raw.pt = ptVP8
		c.frame(deltaFrame)
		c.frame(keyFrame)
		sent := down.sent(t, video)[1:]
		_, asked := find[*rtcp.PictureLossIndication](up.takeControl())
		if jumps*1024 < maxSkip {
			if gap := uint16(jumps*1024 + 1); asked || len(sent) != 2 || sent[0].seq != first.seq+gap {
				t.Errorf("after %d: asked %v, %+v", jumps, asked, sent)
			}
		} else if !asked || len(sent) != 1 || sent[0].seq != first.seq+1 || !bytes.Equal(sent[0].payload, keyFrame) {
			t.Errorf("after %d: asked %v, %+v", jumps, asked, sent)
		}
	}
}

// unable is a transport that may refuse media.
type unable struct {
	sender
	err error
}

func (u *unable) sendRTP(via *burst, k kind, b []byte) error {
	if u.err != nil {
		return u.err
	}

	return u.sender.sendRTP(via, k, b)
}

// TestUnsentIsNotRepeated: what never went out has no claim to its number.
func TestUnsentIsNotRepeated(t *testing.T) {
	_, subscriber, _, down, c := call(t)
	out := &unable{sender: down}
	subscriber.out = out
	c.frame(keyFrame)
	out.err = ErrClosed
	c.frame(deltaFrame)
	out.err = nil
	c.frame(deltaFrame)
	sent := down.sent(t, video)
	last := sent[len(sent)-1].seq
	for i, want := range []int{1, 1, 2} { // the newest, what was not sent, the one before
		control(t, subscriber, c.now+time.Second, &rtcp.TransportLayerNack{
			MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: last - uint16(i)}},
		})
		if len(down.repairs) != want {
			t.Errorf("%d repairs, want %d", len(down.repairs), want)
		}
	}
}

// TestTailTakesOnce: each number of a stream is sent once, and what is so old
// that nobody knows any more not at all.
func TestTailTakesOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	s := newTail(random.Uint64())
	highest := int64(s.seq)
	taken := map[int64]bool{}
	for range 200_000 {
		next := highest + 1
		switch random.IntN(20) {
		case 0:
			next += int64(random.IntN(maxSkip))
		case 1, 2, 3, 4, 5:
			next -= int64(random.IntN(2 * lossWindow))
		}
		want := !taken[next] && next > highest-lossWindow
		if got := s.take(uint16(next)); got != want {
			t.Fatalf("%d after %d: %v", next, highest, got)
		}
		if want {
			taken[next] = true
			highest = max(highest, next)
		}
		if int64(s.seq) != highest&0xffff {
			t.Fatalf("the tail is %d, want %d", s.seq, highest)
		}
	}
}
