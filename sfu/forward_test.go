package sfu

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestKeyFrameRequests(t *testing.T) {
	publisher, subscriber, up, _, c := call(t)
	pli := &rtcp.PictureLossIndication{MediaSSRC: 21}
	count := func() int {
		n := 0
		for _, p := range up.takeControl() {
			if request, ok := p.(*rtcp.PictureLossIndication); ok && request.MediaSSRC == 500 {
				n++
			}
		}

		return n
	}
	count()
	c.now += time.Second
	for range 3 {
		control(t, subscriber, c.now, pli)
	}
	if got := count(); got != 1 {
		t.Errorf("three requests at once became %d", got)
	}
	control(t, subscriber, c.now+keyRepeat, &rtcp.FullIntraRequest{MediaSSRC: 21, FIR: []rtcp.FIREntry{{SSRC: 21}}})
	if got := count(); got != 1 {
		t.Errorf("a later request became %d", got)
	}
	m := testMedia(10)
	m.payloads[ptVP8].pli = false
	publisher.requestKeyFrame(m, nil)
	if _, ok := find[*rtcp.FullIntraRequest](up.takeControl()); !ok {
		t.Error("a publisher that knows only FIR got none")
	}
}

// TestKeyRequestRepeats: at once, every 60 ms for a second, then slower, until
// a key frame passes.
func TestKeyRequestRepeats(t *testing.T) {
	var k keyRequest
	k.start(0)
	var asked []int
	for ms := range 7000 {
		if k.due(time.Duration(ms) * time.Millisecond) {
			asked = append(asked, ms)
		}
	}
	if !slices.Equal(asked[:3], []int{0, 60, 120}) || len(asked) < 30 || len(asked) > 36 {
		t.Errorf("asked at %v", asked)
	}
	k.passed()
	if k.due(time.Hour) {
		t.Error("asked after a key frame")
	}
}

// TestLateKeyFrameStart: the first packet of a key frame is lost and repaired;
// the picture still begins, with all its packets.
func TestLateKeyFrameStart(t *testing.T) {
	rs := newRooms()
	publisher, up := newTestLeg(10)
	subscriber, down := newTestLeg(20)
	r := raw{pt: ptVP8, ssrc: 500, seq: 100, ts: 5}
	publisher.receiveRTP(r.bytes(deltaFrame...), 0, nil)
	for _, l := range []*leg{publisher, subscriber} {
		if _, err := rs.join(l, "room", 0); err != nil {
			t.Fatal(err)
		}
		rs.setReady(l, 0)
	}
	send := func(seq uint16, body ...byte) {
		publisher.receiveRTP(raw{pt: ptVP8, ssrc: 500, seq: seq, ts: 3005}.bytes(body...), 40*time.Millisecond, nil)
	}
	send(102, 0, 0, 9)
	send(103, 0, 0, 9)
	up.takeControl()
	repair := raw{pt: ptRTX, ssrc: 501, seq: 1, ts: 3005}
	publisher.receiveRTP(repair.bytes(append([]byte{0, 101}, keyFrame...)...), 60*time.Millisecond, nil)
	nack, ok := find[*rtcp.TransportLayerNack](up.takeControl())
	if !ok || !slices.Equal(nack.Nacks[0].PacketList(), []uint16{102, 103}) {
		t.Fatalf("the rest was not asked for again: %v", nack)
	}
	for i, seq := range []byte{102, 103} {
		repair.seq = uint16(2 + i)
		publisher.receiveRTP(repair.bytes(0, seq, 0, 0, 9), 80*time.Millisecond, nil)
	}
	if got := down.sent(t, video); len(got) != 3 || got[2].seq != got[0].seq+2 || !vp8KeyFrame(got[0].payload) {
		t.Errorf("%d packets arrived: %+v", len(got), got)
	}
	if got := publisher.count.snapshot(); got.Recovered != 3 {
		t.Errorf("recovered %d", got.Recovered)
	}
	if b := tell(t, subscriber, up, down, 90*time.Millisecond, 0); b.TotalLost != 0 || b.FractionLost != 0 {
		t.Errorf("what had come before the picture began is told as lost: %+v", b)
	}
}

// TestOldRepairs: repeats of old packets, as publishers send them to probe the
// path, are not a stream that began anew.
func TestOldRepairs(t *testing.T) {
	publisher, _, _, down, c := call(t)
	for range 3 * lossWindow {
		c.frame(deltaFrame)
	}
	before := len(down.sent(t, video))
	old := c.raw.seq - 2*lossWindow
	for i := range uint16(2 * restartAfter) {
		b := append([]byte{byte((old + i) >> 8), byte(old + i)}, deltaFrame...)
		publisher.receiveRTP(raw{pt: ptRTX, ssrc: 501, seq: i, ts: 3005}.bytes(b...), c.now, nil)
	}
	for range restartAfter {
		c.frame(deltaFrame)
	}
	if got := len(down.sent(t, video)) - before; got != restartAfter {
		t.Errorf("%d of %d pictures came after them: %+v", got, restartAfter, publisher.count.snapshot().Dropped)
	}
}

// TestOtherStream: a second SSRC with the same payload type is a stranger while
// the first one sends, and its successor when it has stopped.
func TestOtherStream(t *testing.T) {
	_, _, _, down, c := call(t)
	c.raw.ssrc, c.raw.seq = 501, 3000
	c.frame(keyFrame)
	if got := down.sent(t, video); len(got) != 1 {
		t.Fatalf("%d packets", len(got))
	}
	c.now += time.Second
	c.frame(deltaFrame)
	c.frame(keyFrame)
	if got := down.sent(t, video); len(got) != 2 || got[1].seq != got[0].seq+1 {
		t.Errorf("after the change %+v", got)
	}
}

// TestLongCall: a call goes on for longer than sequence numbers last, and
// nothing of it is dropped.
func TestLongCall(t *testing.T) {
	publisher, subscriber, _, down, c := call(t)
	const frames = 3 << 15
	arrived, last := 0, down.sent(t, video)[0]
	subscriber.out.(*memory).onMedia = func(b []byte) {
		var p packet
		p.parse(b)
		if p.seq != last.seq+1 || p.ts != last.ts+3000 {
			t.Fatalf("frame %d is at %d, %d after %d, %d", arrived, p.seq, p.ts, last.seq, last.ts)
		}
		arrived, last = arrived+1, p
	}
	for range frames {
		c.frame(deltaFrame)
	}
	if arrived != frames {
		t.Errorf("%d frames of %d arrived: %+v", arrived, frames, publisher.count.snapshot().Dropped)
	}
}

// TestTranslation: the same codec has other numbers on the other connection,
// and what the partner cannot show is dropped.
func TestTranslation(t *testing.T) {
	publisher, subscriber, _, down, c := call(t)
	m := testMedia(20)
	m.payloads[ptVP8], m.payloads[100] = payload{repair: noPayload}, m.payloads[ptVP8]
	m.payloads[ptH264] = payload{repair: noPayload}
	rs := newRooms()
	publisher.room, subscriber.room = nil, nil
	publisher.to.clear()
	subscriber.to.clear()
	subscriber.media.Store(m)
	for _, l := range []*leg{publisher, subscriber} {
		if _, err := rs.join(l, "again", c.now); err != nil {
			t.Fatal(err)
		}
	}
	c.frame(keyFrame)
	c.raw.pt = ptH264
	c.frame([]byte{0x67, 1})
	got := down.sent(t, video)
	if len(got) != 2 || got[0].pt != ptVP8 || got[1].pt != 100 {
		t.Errorf("arrived %+v", got)
	}
	if s := publisher.count.snapshot(); s.Dropped.Codec != 1 {
		t.Errorf("dropped %+v", s.Dropped)
	}
}

// TestControlPolice: feedback is bounded too, and what a browser sends is not
// near the bound.
func TestControlPolice(t *testing.T) {
	_, subscriber, _, _, _ := call(t)
	pli := []byte{0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 21}
	for i := range 10_000 { // two seconds
		subscriber.receiveRTCP(pli, time.Duration(i)*200*time.Microsecond, nil)
	}
	if got := subscriber.count.snapshot(); got.PLIs < 2*controlPackets || got.PLIs > 3*controlPackets || got.Dropped.Excess != 10_000-got.PLIs {
		t.Errorf("%d passed, %d did not", got.PLIs, got.Dropped.Excess)
	}
}

// TestPolice: a burst and a little above the limit pass, a flood does not, nor
// one of empty packets, which are small only to whom sends them.
func TestPolice(t *testing.T) {
	for _, size := range []int{1000, rtpHeaderSize} {
		const bitrate = 800_000
		p := newPolice(bitrate)
		passed := 0
		for i := range 100_000 { // ten seconds
			if p.admit(size, time.Duration(i)*100*time.Microsecond) {
				passed++
			}
		}
		want := bitrate / 8 / (size + policePacket) * policeFactor * 11
		want = min(want, (bitrate/8*policeFactor/policeSize+policeSmall)*11)
		if passed < want*98/100 || passed > want*102/100 {
			t.Errorf("%d packets of %d bytes passed, want about %d", passed, size, want)
		}
	}
}
