package sfu

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// outlet is a batchConn that keeps what is written.
type outlet struct{ sent [][]byte }

func (o *outlet) read([]datagram, func(int)) error { return ErrClosed }
func (o *outlet) sending() batchConn               { return o }
func (o *outlet) writeOne(b []byte, _ *destination) bool {
	o.sent = append(o.sent, bytes.Clone(b))

	return true
}
func (o *outlet) write(out []slotOut) int {
	for i := range out {
		o.sent = append(o.sent, bytes.Clone(out[i].b[:out[i].n]))
	}

	return 0
}

// laneClient is a leg on a lane, and the client's half of the keys.
type laneClient struct {
	leg    *leg
	lane   *lane
	out    *outlet
	via    *burst
	seal   *srtp.Context // as the client does
	opened *srtp.Context
	count  planeCounters
}

func randomKeys(profile srtp.ProtectionProfile) (k keys) {
	k.profile = profile
	size, salt := 16, 12
	if profile == srtp.ProtectionProfileAes128CmHmacSha1_80 {
		salt = 14
	}
	for _, part := range []struct {
		b *[]byte
		n int
	}{{&k.LocalMasterKey, size}, {&k.RemoteMasterKey, size}, {&k.LocalMasterSalt, salt}, {&k.RemoteMasterSalt, salt}} {
		*part.b = make([]byte, part.n)
		_, _ = rand.Read(*part.b)
	}

	return k
}

func newLaneClient(t testing.TB, ssrc uint32, profile srtp.ProtectionProfile) *laneClient {
	t.Helper()
	c := &laneClient{out: &outlet{}}
	k := randomKeys(profile)
	c.leg = newLeg(discardSender{}, defaultMaxBitrate, ntpEpoch, random)
	c.leg.negotiated(testMedia(ssrc))
	var err error
	if c.lane, err = newLane(c.leg, k, &c.count, func() { t.Error("too many streams") }); err != nil {
		t.Fatal(err)
	}
	c.leg.out = c.lane
	g := &group{table: newAddresses(), conns: []batchConn{c.out}}
	c.lane.move(&destination{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(ssrc)), group: g})
	c.via = &burst{count: &c.count}
	if c.seal, err = srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, profile); err != nil {
		t.Fatal(err)
	}
	if c.opened, err = srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, profile); err != nil {
		t.Fatal(err)
	}

	return c
}

// pairOfLanes wires two clients.
func pairOfLanes(t testing.TB, profile srtp.ProtectionProfile) (a, b *laneClient) {
	t.Helper()
	rs := newRooms()
	var list []*laneClient
	for i := range uint32(2) {
		c := newLaneClient(t, 1000*(i+1), profile)
		if _, err := rs.join(c.leg, "room", 0); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	for _, c := range list {
		rs.setReady(c.leg, 0)
	}

	return list[0], list[1]
}

// send lets the client send a packet.
func (c *laneClient) send(t testing.TB, plain []byte, now time.Duration) []byte {
	t.Helper()
	b, err := c.seal.EncryptRTP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.lane.receive(bytes.Clone(b), now, c.via)
	c.via.flush()

	return b
}

// sendControl lets the client send RTCP.
func (c *laneClient) sendControl(t testing.TB, now time.Duration, packets ...rtcp.Packet) {
	t.Helper()
	plain, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.seal.EncryptRTCP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.lane.receive(b, now, c.via)
	c.via.flush()
}

// TestLaneForwards: what one client seals the other one can open.
func TestLaneForwards(t *testing.T) {
	for _, profile := range []srtp.ProtectionProfile{srtp.ProtectionProfileAeadAes128Gcm, srtp.ProtectionProfileAes128CmHmacSha1_80} {
		t.Run(profile.String(), func(t *testing.T) {
			a, b := pairOfLanes(t, profile)
			r := raw{pt: ptVP8, ssrc: 1101, seq: 65000, ts: 9}
			for range 2000 {
				r.seq++
				r.ts += 3000
				a.send(t, r.bytes(keyFrame...), time.Duration(r.ts)*time.Second/90000)
			}
			var got int
			for _, sealed := range b.out.sent {
				if isControl(sealed) {
					continue
				}
				var h rtp.Header
				plain, err := b.opened.DecryptRTP(nil, sealed, &h)
				if err != nil {
					t.Fatal(err)
				}
				var p packet
				if !p.parse(plain) || p.ssrc != 2001 || !bytes.Equal(p.payload, keyFrame) {
					t.Fatalf("packet %d is %x", got, plain)
				}
				got++
			}
			if got != 2000 {
				t.Errorf("%d packets came", got)
			}
		})
	}
}

// TestLaneRefuses: what is forged, repeated or of another connection opens
// nothing, and is counted.
func TestLaneRefuses(t *testing.T) {
	a, b := pairOfLanes(t, srtp.ProtectionProfileAeadAes128Gcm)
	good := a.send(t, raw{pt: ptVP8, ssrc: 1101, seq: 1, ts: 9}.bytes(keyFrame...), 0)
	forged := bytes.Clone(good)
	forged[3]++
	foreign := b.send(t, raw{pt: ptVP8, ssrc: 2101, seq: 1, ts: 9}.bytes(keyFrame...), 0)
	control := append([]byte{0x80, 200, 0, 6}, make([]byte, 40)...)
	sent := len(b.out.sent)
	for name, datagram := range map[string][]byte{
		"repeated": good, "forged": forged, "foreign": foreign, "short": good[:13], "control": control,
	} {
		before := a.count.unopened.Load()
		a.lane.receive(bytes.Clone(datagram), time.Second, a.via)
		a.via.flush()
		if a.count.unopened.Load() != before+1 || len(b.out.sent) != sent {
			t.Errorf("a %s packet passed", name)
		}
	}
	a.lane.busy.Store(true)
	a.send(t, raw{pt: ptVP8, ssrc: 1101, seq: 2, ts: 9}.bytes(keyFrame...), 0)
	if a.count.contended.Load() != 1 || len(b.out.sent) != sent {
		t.Error("two entered a lane at once")
	}
}

// TestNoNonceTwice: a packet's nonce is its SSRC and its index. Over wraps,
// retransmissions on a stream of their own, repeats, and feedback, two datagrams
// that share them are the same datagram.
func TestNoNonceTwice(t *testing.T) {
	for _, withRTX := range []bool{true, false} {
		t.Run(fmt.Sprint("rtx ", withRTX), func(t *testing.T) {
			a, b := pairOfLanes(t, srtp.ProtectionProfileAeadAes128Gcm)
			if !withRTX {
				m := testMedia(2000)
				m.payloads[ptVP8].repair = noPayload
				b.leg.media.Store(m)
			}
			book := newBook()
			var nacked, packets int
			r := raw{pt: ptVP8, ssrc: 1101, seq: 65000, ts: 9}
			var now time.Duration
			for i := range 80_000 {
				now += 11 * time.Millisecond
				r.seq++
				r.ts += 3000
				a.send(t, r.bytes(keyFrame...), now)
				if i%70 == 69 { // a probe of what has arrived
					probe := raw{pt: ptRTX, ssrc: 1102, seq: uint16(i / 70), ts: r.ts}
					a.send(t, probe.bytes(append([]byte{byte(r.seq >> 8), byte(r.seq)}, keyFrame...)...), now)
				}
				if i%50 == 49 {
					last := videoSeq(b.out.sent)
					nack := &rtcp.TransportLayerNack{MediaSSRC: 2001, Nacks: []rtcp.NackPair{{PacketID: last - 40, LostPackets: 0xff}}}
					b.sendControl(t, now, nack)
					nacked++
				}
				if len(b.out.sent) > 400 {
					packets += len(b.out.sent)
					book.check(t, b)
				}
			}
			if got := b.leg.count.resent.Load(); got < uint64(nacked) {
				t.Fatalf("%d packets were sent again", got)
			}
			t.Logf("%d datagrams, %d of them again", packets, b.leg.count.resent.Load())
		})
	}
}

// TestNoNonceTwiceAfterPadding: packets that are not kept take numbers too. What
// was kept before 64 of them, a thousand numbers apart, is of the last time that
// the numbers came round, and repeating it would use another packet's nonce.
func TestNoNonceTwiceAfterPadding(t *testing.T) {
	a, b := pairOfLanes(t, srtp.ProtectionProfileAeadAes128Gcm)
	m := testMedia(2000)
	m.payloads[ptVP8].repair = noPayload
	b.leg.media.Store(m)
	book := newBook()
	r := raw{pt: ptVP8, ssrc: 1101, seq: 100, ts: 9}
	now := time.Second
	a.send(t, r.bytes(keyFrame...), now)
	kept := videoSeq(b.out.sent)
	book.check(t, b)
	r.pad = 20
	for range 64 {
		r.seq += 1 << 10
		now += 100 * time.Millisecond
		a.send(t, r.bytes(), now)
	}
	if last := videoSeq(b.out.sent); last != kept {
		t.Fatalf("the last number is %d, want %d again", last, kept)
	}
	b.sendControl(t, now+time.Second, &rtcp.TransportLayerNack{MediaSSRC: 2001, Nacks: []rtcp.NackPair{{PacketID: kept}}})
	book.check(t, b)
	if n := b.leg.count.resent.Load(); n != 0 {
		t.Errorf("%d packets of the last time round were sent again", n)
	}
}

// videoSeq is the sequence number of the last video packet sent.
func videoSeq(sent [][]byte) uint16 {
	for _, b := range slices.Backward(sent) {
		if !isControl(b) && binary.BigEndian.Uint32(b[8:]) == 2001 {
			return binary.BigEndian.Uint16(b[2:])
		}
	}

	return 0
}

// nonce is what must not repeat under one key.
type nonce struct {
	control bool
	ssrc    uint32
	index   int64
}

// nonceBook remembers the datagrams of each nonce.
type nonceBook struct {
	seen    map[nonce][]byte
	highest map[uint32]int64
}

// check opens all that was sent, as the client does, and forgets it.
func (n *nonceBook) check(t *testing.T, c *laneClient) {
	t.Helper()
	for _, b := range c.out.sent {
		var key nonce
		if isControl(b) {
			if _, err := c.opened.DecryptRTCP(nil, b, nil); err != nil {
				t.Fatalf("feedback cannot be opened: %v", err)
			}
			index := binary.BigEndian.Uint32(b[len(b)-4:]) & 0x7fffffff
			key = nonce{control: true, ssrc: binary.BigEndian.Uint32(b[4:]), index: int64(index)}
		} else {
			var h rtp.Header
			if _, err := c.opened.DecryptRTP(nil, b, &h); err != nil {
				t.Fatalf("a packet cannot be opened: %v", err)
			}
			index := n.highest[h.SSRC]
			index += int64(int16(h.SequenceNumber - uint16(index)))
			n.highest[h.SSRC] = max(n.highest[h.SSRC], index)
			key = nonce{ssrc: h.SSRC, index: index}
		}
		kept := bytes.Clone(b[:min(len(b), 48)])
		if before, again := n.seen[key]; again && !bytes.Equal(before, kept) {
			t.Fatalf("nonce %+v is used for two datagrams", key)
		}
		n.seen[key] = kept
	}
	c.out.sent = c.out.sent[:0]
}

// TestLaneStreams: a client that has many streams is after memory.
func TestLaneStreams(t *testing.T) {
	c := newLaneClient(t, 1000, srtp.ProtectionProfileAeadAes128Gcm)
	crowded := 0
	c.lane.crowd = func() { crowded++ }
	for ssrc := range uint32(maxRTPStreams + 1) {
		c.send(t, raw{pt: ptVP8, ssrc: ssrc, seq: 1}.bytes(keyFrame...), 0)
	}
	if crowded != 1 {
		t.Errorf("%d streams were one too many %d times", maxRTPStreams+1, crowded)
	}
	for ssrc := range uint32(maxRTCPStreams + 1) {
		c.sendControl(t, 0, &rtcp.ReceiverReport{SSRC: ssrc})
	}
	if crowded != 2 {
		t.Errorf("%d sources of feedback were not too many", maxRTCPStreams+1)
	}
}

// TestLaneAllocates nothing: opening, forwarding, sealing and handing over.
func TestLaneAllocates(t *testing.T) {
	a, _, step := laneLoop(t)
	for range 1000 {
		step() // the first packets make the streams' state
	}
	if n := testing.AllocsPerRun(2000, step); n != 0 {
		t.Errorf("%v allocations for each packet", n)
	}
	if a.count.unopened.Load() != 0 {
		t.Error("some packets were not opened")
	}
}

// laneLoop returns a function that takes one video packet through a pair of
// lanes, its sender's encryption not counted among allocations.
func laneLoop(t testing.TB) (a, b *laneClient, step func()) {
	a, b = pairOfLanes(t, srtp.ProtectionProfileAeadAes128Gcm)
	a.leg.media.Load().ext = [kinds]extensions{} // feedback is not part of this
	a.leg.up.nextReport, a.leg.up.nextLimit = time.Hour*1e6, time.Hour*1e6
	nowhere := &group{table: newAddresses(), conns: []batchConn{discardConn{}}}
	b.lane.to.Load().group = nowhere
	plain := raw{pt: ptVP8, ssrc: 1101}.bytes(append(slices.Clone(keyFrame), make([]byte, 1100)...)...)
	datagram := make([]byte, parcelSize)
	var header rtp.Header
	seq, now := uint16(0), time.Duration(0)

	return a, b, func() {
		seq++
		now += 10 * time.Millisecond // far from the limit
		binary.BigEndian.PutUint16(plain[2:], seq)
		sealed, err := a.seal.EncryptRTP(datagram[:0], plain, &header)
		if err != nil {
			t.Fatal(err)
		}
		a.lane.receive(sealed, now, a.via)
		a.via.flush()
	}
}

type discardConn struct{}

func (discardConn) read([]datagram, func(int)) error   { return ErrClosed }
func (discardConn) writeOne([]byte, *destination) bool { return true }
func (discardConn) write([]slotOut) int                { return 0 }
func (discardConn) sending() batchConn                 { return discardConn{} }

// BenchmarkLane is one video packet of 1,100 bytes on the fast plane without
// the system's calls, with the client's own encryption: opened, parsed,
// rewritten, kept for repairs, sealed.
func BenchmarkLane(b *testing.B) {
	_, _, step := laneLoop(b)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}
