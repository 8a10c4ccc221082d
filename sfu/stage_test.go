package sfu

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// stage is one subscriber and the few publishers that it sees in turn, on bad
// networks, each with numbers just below their wraps. It knows of each packet
// whose it is, and fails the test as soon as the subscriber gets one that it
// must not get.
type stage struct {
	t        *testing.T
	random   *rand.Rand
	rs       *rooms
	now      time.Duration
	lossUp   float64 // of the publishers' networks
	lossDown float64
	held     float64 // how many packets come late

	cast   []*actor
	on     *actor // who is wired
	wiring int
	former *actor // who was before
	from   *actor // who sends just now
	made   []made

	leg      *leg // the subscriber's
	out      *memory
	flows    [kinds]seenFlow
	repeats  int64 // the last number of the stream of repeats, extended
	numbers  extended
	offset   int64 // of transport-wide numbers, valid if numbered is the wiring
	numbered int
	nonces   map[nonce]uint64
	highest  map[uint32]int64
	recorder *twcc.Recorder

	// What a test has to have seen, or it shows nothing.
	seen struct {
		media, parity, filler, restored, probes, repairs, late, midGroup int
		told, denied, reports, senderReports, echoes                     int
		seqWraps, timeWraps, numberWraps, repeatWraps                    int
		lines, clamped                                                   int // flows on one line with those before, and not quite
	}
}

// made is a packet of media that an actor has made; its payload names it.
type made struct {
	by    *actor
	kind  kind
	seq   int64
	ts    uint32
	extra byte // orientation or audio level
}

// extended is a number that wraps, as a receiver extends it.
type extended struct {
	started bool
	highest int64
}

func (e *extended) extend(n uint16) int64 {
	if !e.started {
		return int64(n)
	}

	return e.highest + int64(int16(n-uint16(e.highest)))
}

// seenFlow is a stream as the subscriber sees it.
type seenFlow struct {
	seq    extended
	ts     int64
	at     time.Duration // when ts came
	wiring int           // that has begun here
	first  int64
	seqOff int64 // what the subscriber's numbers have more
	tsOff  uint32
	sent   map[uint16][]byte // what came, by number

	base, received int64 // for receiver reports, as RFC 3550 counts
	got            map[int64]bool
	told           int64   // what was last reported as lost
	reported       int     // the wiring that was last reported on
	echo           echo    // the last sender report
	line           *uint32 // where the last report said that the stream's clock was at time 0
	loose          bool    // the stream does not go on there
}

// echo is a sender report as the subscriber and as the publisher know it: the
// middle 32 bits of the NTP times; held is for how long the relay had the latter.
type echo struct{ theirs, ours, held uint32 }

const secretExtension = 7 // the subscriber must not see

// newStage makes a subscriber; red and rtx say what it takes.
func newStage(t *testing.T, random *rand.Rand, red, rtx bool) *stage {
	s := &stage{
		t: t, random: random, rs: newRooms(), now: time.Second, numbered: -1,
		nonces: map[nonce]uint64{}, highest: map[uint32]int64{}, recorder: twcc.NewRecorder(1),
	}
	s.leg, s.out = newTestLeg(20)
	m := testMedia(20)
	if red {
		m = withRED(m, shifted)
	}
	if !rtx {
		m.repair = 0
		for pt := range m.payloads {
			m.payloads[pt].repair = noPayload
		}
	}
	m.ext[video] = extensions{transportCC: 9, absSendTime: 2, playoutDelay: 5, orientation: 6}
	m.ext[audio] = extensions{transportCC: 9, absSendTime: 2, audioLevel: 8}
	s.leg.negotiated(m)
	for k := range kinds {
		d := &s.leg.down[k]
		d.tail.seq, d.tail.ts = uint16(65535-random.IntN(100)), ^uint32(0)-uint32(random.IntN(90_000))
		d.repairs.seq = uint16(65534 - random.IntN(5))
		s.flows[k] = seenFlow{wiring: -1, reported: -1, sent: map[uint16][]byte{}, got: map[int64]bool{}}
	}
	s.leg.number = uint16(65535 - random.IntN(100))
	s.repeats = -1
	s.out.onMedia = s.see
	s.out.strict = t
	s.rs.setReady(s.leg, 0)
	for i := range 3 {
		s.cast = append(s.cast, newActor(s, uint32(1000*(i+1)), i > 0))
	}

	return s
}

// turn wires the next actor, who has sent alone before, and has it play.
func (s *stage) turn(steps int) {
	next := s.cast[s.random.IntN(len(s.cast))]
	for next == s.on {
		next = s.cast[s.random.IntN(len(s.cast))]
	}
	if s.on == nil || s.random.IntN(4) == 0 {
		next.reconnect()
	}
	for range 2 + s.random.IntN(4) { // into the middle of a group
		s.step(s.on, next)
	}
	s.hearReports()
	if s.on != nil {
		s.rs.leave(s.on.leg)
		s.rs.leave(s.leg)
	}
	s.former, s.on = s.on, next
	s.wiring++
	for _, l := range []*leg{s.leg, next.leg} {
		wired, err := s.rs.join(l, "room", s.now)
		if err != nil {
			s.t.Fatal(err)
		}
		wired.greet(s.now)
	}
	for range 2 { // what is late of the one before
		s.step(next, s.former)
	}
	for range steps {
		s.step(next, nil)
	}
}

// step is 10 ms.
func (s *stage) step(list ...*actor) {
	s.now += 10 * time.Millisecond
	for _, a := range list {
		if a != nil {
			a.act()
		}
	}
	if s.random.IntN(4) == 0 {
		s.ask()
	}
	if s.random.IntN(4) == 0 {
		for _, p := range s.recorder.BuildFeedbackPacket() {
			control(s.t, s.leg, s.now, p)
		}
	}
	for _, a := range list {
		if a != nil {
			a.hear()
		}
	}
}

// ask has the subscriber ask for some of what it was sent last.
func (s *stage) ask() {
	last := uint16(s.flows[video].seq.highest)
	control(s.t, s.leg, s.now, &rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: []rtcp.NackPair{
		{PacketID: last - uint16(s.random.IntN(30)), LostPackets: rtcp.PacketBitmap(s.random.IntN(4))},
	}})
}

// see takes what the relay sends to the subscriber.
func (s *stage) see(b []byte) {
	var p packet
	if !p.parse(b) {
		s.t.Fatalf("malformed: %x", b)
	}
	s.once(&p, b)
	m := s.leg.media.Load()
	switch {
	case p.ssrc == 22 && m.repair != 0:
		s.seeRepeat(m, &p)
	case p.ssrc == m.ssrc[audio]:
		s.seeMedia(m, audio, &p, b)
	case p.ssrc == m.ssrc[video] && s.from != nil:
		s.seeMedia(m, video, &p, b)
	case p.ssrc == m.ssrc[video]:
		s.seen.repairs++
		if !bytes.Equal(s.flows[video].sent[p.seq], b) {
			s.t.Fatalf("number %d was repaired as something else", p.seq)
		}
		s.count(video, s.flows[video].seq.extend(p.seq))
	default:
		s.t.Fatalf("SSRC %d crossed", p.ssrc)
	}
	if p.find(secretExtension) != nil {
		s.t.Fatalf("an extension of the publisher's crossed: %x", p.ext)
	}
}

var hashSeed = maphash.MakeSeed()

// once fails if a nonce, which is a stream and a packet's index in it, is used
// for two packets.
func (s *stage) once(p *packet, b []byte) {
	highest, ok := s.highest[p.ssrc]
	if !ok {
		highest = int64(p.seq)
	}
	index := highest + int64(int16(p.seq-uint16(highest)))
	s.highest[p.ssrc] = max(index, highest)
	if index>>16 > highest>>16 {
		if p.ssrc == 22 {
			s.seen.repeatWraps++
		} else {
			s.seen.seqWraps++
		}
	}
	key, sum := nonce{ssrc: p.ssrc, index: index}, maphash.Bytes(hashSeed, b)
	if before, again := s.nonces[key]; again && before != sum {
		s.t.Fatalf("nonce %+v is used for two packets", key)
	}
	s.nonces[key] = sum
}

// seeMedia checks that a packet continues what came before, whoever sent it.
func (s *stage) seeMedia(m *media, k kind, p *packet, b []byte) {
	f, a := &s.flows[k], s.on
	if s.from == nil || s.from != a {
		s.t.Fatalf("a packet of a former publisher: %+v", p)
	}
	seq := f.seq.extend(p.seq)
	ts := f.ts + int64(int32(p.ts-uint32(f.ts)))
	what, isMedia := s.name(m, p)
	if f.wiring != s.wiring {
		ts = s.begin(k, p, seq, ts, what)
	}
	switch {
	case isMedia:
		s.seen.media++
		if what.by != a || what.kind != k || seq-what.seq != f.seqOff || p.ts-what.ts != f.tsOff {
			s.t.Fatalf("number %d at %d is what was %d at %d, shifted by %d and %d", seq, p.ts, what.seq, what.ts, f.seqOff, f.tsOff)
		}
		s.checkExtra(m, k, p, what)
		if !bytes.HasSuffix(a.delivering, p.payload[len(p.payload)-8:]) {
			s.seen.restored++ // by parity: it is another packet that came
		}
	case !a.parities[seq-f.seqOff]:
		s.t.Fatalf("number %d was %d: neither media nor parity", seq, seq-f.seqOff)
	case len(p.payload) == 0:
		s.seen.filler++
	default:
		s.seen.parity++
		s.checkParity(m, p)
	}
	if seq > f.seq.highest {
		f.seq.highest = seq
		for old := seq - 2000; len(f.got) > 1500; old++ {
			delete(f.got, old)
		}
	}
	if ts > f.ts {
		if ts>>32 > f.ts>>32 {
			s.seen.timeWraps++
		}
		f.ts, f.at = ts, s.now
	}
	if seq < f.first {
		s.t.Fatalf("number %d is before the picture, which begins at %d", seq, f.first)
	}
	f.sent[p.seq] = bytes.Clone(b)
	if s.seeNumber(m, k, p) {
		s.count(k, seq)
	}
}

// begin checks how a flow continues the one before. It returns ts, which is not
// known at the very first.
func (s *stage) begin(k kind, p *packet, seq, ts int64, what made) int64 {
	f := &s.flows[k]
	if k == video {
		body := p.payload
		if m := s.leg.media.Load(); m.red != 0 && p.pt == m.red {
			body = body[1:]
		}
		if !vp8KeyFrame(body) {
			s.t.Fatalf("a picture begins with %+v", p)
		}
		if len(what.by.protecting.group) > 1 {
			s.seen.midGroup++
		}
	}
	if f.seq.started {
		step, slack := int64(ticks(s.now-f.at, k.clock())), int64(0)
		if a := s.on; a.reported[k] && f.line != nil {
			late := int64(int32(a.time(k) - what.ts)) // it was captured then
			line := int64(ticks(s.now, k.clock())) - late + int64(*f.line)
			step += int64(int32(uint32(line) - uint32(f.ts+step)))
			slack, f.loose = 3, false // of rounding
			s.seen.lines++
		} else {
			f.loose = true
		}
		if step < minGap(k)-slack {
			step, f.loose = minGap(k), true
			s.seen.clamped++
		}
		if off := ts - f.ts - step; seq != f.seq.highest+1 || ts < f.ts+minGap(k) || off < -slack || off > slack {
			s.t.Fatalf("%v goes on at %d, %d after %d, %d and %v; want %d more", k, seq, ts, f.seq.highest, f.ts, s.now-f.at, step)
		}
	} else {
		ts = int64(p.ts)
		f.seq, f.base, f.ts = extended{started: true, highest: seq - 1}, seq, ts-1
	}
	f.echo.ours = 0 // what was said before is not about this one
	f.wiring, f.first = s.wiring, seq
	f.seqOff, f.tsOff = seq-what.seq, p.ts-what.ts

	return ts
}

// name finds which packet p is by its payload; ok is false if it has no name.
func (s *stage) name(m *media, p *packet) (what made, ok bool) {
	if len(p.payload) < 8 || m.red != 0 && p.pt == m.red && p.payload[0] == m.fec {
		return made{}, false
	}

	return s.made[binary.BigEndian.Uint64(p.payload[len(p.payload)-8:])], true
}

// checkExtra checks the extension that the sound or the picture needs.
func (s *stage) checkExtra(m *media, k kind, p *packet, what made) {
	id := m.ext[k].orientation
	if k == audio {
		id = m.ext[k].audioLevel
	}
	if v := p.find(id); len(v) != 1 || v[0] != what.extra {
		s.t.Fatalf("extension %d of %d is %x, want %x", id, what.seq, v, what.extra)
	}
}

// checkParity loses one of the packets that p protects and finds it again.
func (s *stage) checkParity(m *media, p *packet) {
	var what protection
	if !what.parse(p.payload[1:]) {
		s.t.Fatal("malformed parity")
	}
	received := map[uint16][]byte{}
	var lost uint16
	for rest := what; ; {
		distance, ok := rest.next()
		if !ok {
			break
		}
		b, ok := s.flows[video].sent[what.base+distance]
		if !ok {
			s.t.Fatalf("parity protects %d, which was not sent", what.base+distance)
		}
		if f := &s.flows[video]; f.seq.extend(what.base+distance) < f.first {
			s.t.Fatalf("parity protects %d, a former publisher's", what.base+distance)
		}
		lost = what.base + distance
		received[lost] = bare(s.t, b, &m.ext[video])
	}
	want := received[lost]
	delete(received, lost)
	if seq, got := recoverFEC(s.t, p.payload[1:], 21, received); seq != lost || !bytes.Equal(got, want) {
		s.t.Fatalf("%d becomes %x, want %x", lost, got, want)
	}
}

// seeNumber checks the transport-wide number of a packet that is sent now, and
// decides whether the packet reaches the subscriber.
func (s *stage) seeNumber(m *media, k kind, p *packet) bool {
	reached := s.random.Float64() >= s.lossDown
	v := p.find(m.ext[k].transportCC)
	if v == nil {
		return reached
	}
	out := s.numbers.extend(binary.BigEndian.Uint16(v))
	n := s.from.current
	if s.numbered != s.wiring {
		if s.numbers.started && out != s.numbers.highest+1 {
			s.t.Fatalf("transport-wide numbers go on at %d after %d", out, s.numbers.highest)
		}
		s.numbered, s.offset, s.numbers.started = s.wiring, out-n, true
		s.numbers.highest = out
	}
	if out-n != s.offset {
		s.t.Fatalf("transport-wide number %d became %d, others have %d more", n, out, s.offset)
	}
	if s.from.fates[n] != atRelay {
		s.t.Fatalf("transport-wide number %d was sent twice", n)
	}
	if out>>16 > s.numbers.highest>>16 {
		s.seen.numberWraps++
	}
	s.numbers.highest = max(s.numbers.highest, out)
	s.from.fates[n] = lostDown
	if reached {
		s.from.fates[n] = arrived
		s.recorder.Record(p.ssrc, uint16(out), s.now.Microseconds())
	}

	return reached
}

// seeRepeat takes what comes on the stream of repeats: what the publisher has
// sent to probe, or what the relay repairs.
func (s *stage) seeRepeat(m *media, p *packet) {
	seq := s.repeats + 1
	if s.repeats >= 0 && p.seq != uint16(seq) {
		s.t.Fatalf("repeat %d comes after %d", p.seq, uint16(s.repeats))
	}
	s.repeats = int64(p.seq)
	if s.from != nil {
		s.seen.probes++
		if s.from != s.on {
			s.t.Fatal("a repeat of a former publisher's")
		}
		s.seeNumber(m, video, p)
	} else {
		s.seen.repairs++
		if p.find(m.ext[video].transportCC) != nil {
			s.t.Fatal("a repair has the number of what it repeats")
		}
	}
	if len(p.payload) == 0 {
		return
	}
	original := binary.BigEndian.Uint16(p.payload)
	var q packet
	if !q.parse(s.flows[video].sent[original]) || !bytes.Equal(q.payload, p.payload[2:]) || q.ts != p.ts {
		s.t.Fatalf("%d was repeated as something else", original)
	}
	if s.from != nil && s.flows[video].seq.extend(original) < s.flows[video].first {
		s.t.Fatalf("%d, of a former publisher, was repeated", original)
	}
	if v := p.find(m.ext[video].orientation); !bytes.Equal(v, q.find(m.ext[video].orientation)) {
		s.t.Fatalf("the orientation of %d was repeated as %x", original, v)
	}
}

// count counts a packet for receiver reports (RFC 3550 section A.3).
func (s *stage) count(k kind, seq int64) {
	f := &s.flows[k]
	if !f.got[seq] && seq >= f.base {
		f.got[seq] = true
		f.received++
	}
}
