package sfu

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// delayed is a packet on a network.
type delayed struct {
	at time.Duration
	b  []byte
}

// TestUplinkLossCostsNoKeyFrame: one in ten packets between a publisher and the
// relay is lost, requests and repairs too. The publisher believes in a round
// trip three times as long as the one to the relay, and repeats nothing twice
// within that. Everything arrives, and nobody asks for a key frame.
func TestUplinkLossCostsNoKeyFrame(t *testing.T) {
	const hop, whole, loss = 50 * time.Millisecond, 300 * time.Millisecond, 0.1
	random := rand.New(rand.NewPCG(1, 1))
	publisher, subscriber, up, down, c := call(t)
	publisher.rtt.Store(int64(2 * hop))
	subscriber.rtt.Store(int64(whole - 2*hop))
	sent, repeated := map[uint16][]byte{}, map[uint16]time.Duration{}
	var toRelay, toPublisher []delayed
	var repair uint16
	requests := 0
	const frames = 3000
	tick := func(now time.Duration) {
		for len(toRelay) > 0 && toRelay[0].at <= now {
			publisher.receiveRTP(toRelay[0].b, now, nil)
			toRelay = toRelay[1:]
		}
		for _, p := range up.takeControl() {
			switch p := p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				requests++
			case *rtcp.TransportLayerNack:
				b, err := p.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				if random.Float64() >= loss {
					toPublisher = append(toPublisher, delayed{now + hop, b})
				}
			}
		}
		for len(toPublisher) > 0 && toPublisher[0].at <= now {
			var nack rtcp.TransportLayerNack
			if err := nack.Unmarshal(toPublisher[0].b); err != nil {
				t.Fatal(err)
			}
			toPublisher = toPublisher[1:]
			for _, pair := range nack.Nacks {
				for _, seq := range pair.PacketList() {
					if last, ok := repeated[seq]; ok && now-last < whole {
						continue
					}
					repeated[seq] = now
					repair++
					b := raw{pt: ptRTX, ssrc: 501, seq: repair, ts: 5}.bytes(append([]byte{byte(seq >> 8), byte(seq)}, sent[seq]...)...)
					if random.Float64() >= loss {
						toRelay = append(toRelay, delayed{now + hop, b})
					}
				}
			}
		}
	}
	up.takeControl() // the request for the first key frame
	for i := range frames {
		c.now += 10 * time.Millisecond
		tick(c.now)
		c.raw.seq++
		c.raw.ts += 900
		body := append(bytes.Clone(deltaFrame), byte(i>>8), byte(i))
		sent[c.raw.seq] = body
		if random.Float64() >= loss || i == frames-1 {
			toRelay = append(toRelay, delayed{c.now + hop, c.raw.bytes(body...)})
		}
	}
	for range 200 {
		c.now += 10 * time.Millisecond
		tick(c.now)
		publisher.receiveRTP(raw{pt: ptOpus, ssrc: 502, seq: uint16(c.now / 1e7)}.bytes(1), c.now, nil)
	}
	if got := len(down.sent(t, video)) - 1; got != frames {
		t.Errorf("%d frames of %d arrived", got, frames)
	}
	if s := publisher.count.snapshot(); requests > 0 || s.PacketsLost > 0 {
		t.Errorf("%d key frames were asked for, %d packets given up", requests, s.PacketsLost)
	}
}

// TestProbes: what a publisher sends only to find out what the path takes goes
// all the way, as padding or as a repeat, with its number.
func TestProbes(t *testing.T) {
	publisher, subscriber, up, down, c := call(t)
	c.raw.ext = []byte{0x31, 0, 9}
	c.frame(deltaFrame)
	media := down.sent(t, video)
	probe := raw{pt: ptRTX, ssrc: 501, seq: 5, ts: c.raw.ts, ext: []byte{0x31, 0, 10}, pad: 200}
	publisher.receiveRTP(probe.bytes(), c.now, nil)
	probe.seq, probe.pad, probe.ext = 6, 0, []byte{0x31, 0, 11}
	publisher.receiveRTP(probe.bytes(append([]byte{byte(c.raw.seq >> 8), byte(c.raw.seq)}, deltaFrame...)...), c.now, nil)
	probe.seq, probe.ext = 7, []byte{0x31, 0, 12}
	publisher.receiveRTP(probe.bytes(append([]byte{byte((c.raw.seq - 9) >> 8), byte(c.raw.seq - 9)}, deltaFrame...)...), c.now, nil)
	if len(down.repairs) != 3 {
		t.Fatalf("%d probes of 3 arrived", len(down.repairs))
	}
	got := make([]packet, 3)
	for i := range got {
		got[i].parse(down.repairs[i])
	}
	first := media[len(media)-1].find(3)
	for i := range got {
		p := &got[i]
		if n := p.find(3); p.ssrc != 22 || p.pt != ptRTX || len(n) != 2 || n[1] != first[1]+byte(i+1) || p.ts != media[len(media)-1].ts {
			t.Errorf("probe %d is %+v after %v", i, p, first)
		}
		if i > 0 && p.seq != got[i-1].seq+1 {
			t.Errorf("probe %d has number %d after %d", i, p.seq, got[i-1].seq)
		}
	}
	if got[0].padding != 200 || len(got[0].payload) != 0 {
		t.Errorf("the padding is %+v", got[0])
	}
	if p := got[1]; !p.unwrap(ptVP8, 21) || p.seq != media[len(media)-1].seq || !bytes.Equal(p.payload, deltaFrame) {
		t.Errorf("the repeat is %+v", p)
	}
	if len(got[2].payload) != 0 || int(got[2].padding) != len(deltaFrame) {
		t.Errorf("a repeat of what the subscriber knows as something else is %+v", got[2])
	}
	control(t, subscriber, c.now+time.Second, &rtcp.TransportLayerNack{
		MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: media[len(media)-1].seq}},
	})
	var p packet
	if p.parse(down.repairs[3]); p.seq != got[2].seq+1 || p.find(3) != nil || p.profile != profileOneByte {
		t.Errorf("the relay's own repair is %+v", p)
	}
	// A subscriber without retransmission: the relay tells of the probe itself.
	subscriber.media.Load().payloads[ptVP8].repair = noPayload
	up.takeControl()
	probe.ext = []byte{0x31, 0, 13}
	publisher.receiveRTP(probe.bytes(byte(c.raw.seq>>8), byte(c.raw.seq), 1), c.now, nil)
	c.raw.ext = []byte{0x31, 0, 14}
	c.now += arrivalInterval
	c.frame(deltaFrame)
	cc, ok := find[*rtcp.TransportLayerCC](up.takeControl())
	if !ok || len(statuses(cc)) != 1 || cc.BaseSequenceNumber != 13 {
		t.Errorf("the relay told %v", cc)
	}
}

// TestWant: what a peer does not want is not sent, not asked for, and begins
// with a key frame when it wants it again; its numbers have no gap.
func TestWant(t *testing.T) {
	publisher, subscriber, up, down, c := call(t)
	c.frame(deltaFrame)
	subscriber.want(video, false, c.now)
	up.takeControl()
	c.raw.seq += 3
	for range 5 {
		c.frame(deltaFrame)
	}
	if got := down.sent(t, video); len(got) != 2 {
		t.Fatalf("%d packets", len(got))
	}
	subscriber.wantKeyFrame(c.now, nil)
	for _, p := range up.takeControl() {
		switch p.(type) {
		case *rtcp.TransportLayerNack, *rtcp.PictureLossIndication:
			t.Errorf("the publisher was asked for %v", p)
		}
	}
	subscriber.want(video, true, c.now)
	subscriber.want(video, true, c.now)
	if list := up.takeControl(); len(list) != 1 {
		t.Errorf("the publisher was asked %v", list)
	}
	c.frame(deltaFrame)
	c.frame(keyFrame)
	got := down.sent(t, video)
	if len(got) != 3 || got[2].seq != got[1].seq+1 || !vp8KeyFrame(got[2].payload) {
		t.Errorf("then came %+v", got[2:])
	}
	subscriber.want(audio, false, c.now)
	publisher.receiveRTP(raw{pt: ptOpus, ssrc: 9}.bytes(1), c.now, nil)
	if s := publisher.count.snapshot(); len(down.sent(t, audio)) != 0 || s.Dropped.Unwanted != 6 {
		t.Errorf("dropped %+v", s.Dropped)
	}
}
