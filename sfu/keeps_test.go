package sfu

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// TestOpusParameters: who wants discontinuous transmission or in-band error
// correction is answered that it shall have it sent, too, in the one way that
// browsers take: an encoder switches them on by the description that it is given
// (RFC 7587 section 6.1). Who does not is not asked for either.
func TestOpusParameters(t *testing.T) {
	e := newTestEngine(t)
	for offered, want := range map[string]struct{ dtx, fec string }{
		"minptime=10;useinbandfec=1":          {"", "1"},
		"minptime=10;useinbandfec=1;usedtx=1": {"1", "1"},
		"minptime=10;usedtx=1":                {"1", ""},
		"minptime=10;useinbandfec=0;usedtx=0": {"0", "0"},
		"minptime=3;stereo=1":                 {"", ""},
	} {
		p, err := e.NewPeer()
		if err != nil {
			t.Fatal(err)
		}
		answer, err := p.Answer(strings.Replace(chromium(t), "minptime=10;useinbandfec=1", offered, 1))
		if err != nil {
			t.Fatal(err)
		}
		got := lines(answer, "a=fmtp:111 ")
		if len(got) != 1 {
			t.Fatalf("%s is answered with %q", offered, got)
		}
		fmtp := strings.TrimPrefix(got[0], "a=fmtp:111 ")
		if parameter(fmtp, "usedtx") != want.dtx || parameter(fmtp, "useinbandfec") != want.fec {
			t.Errorf("%s is answered with %q", offered, fmtp)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSilence: of sound that is discontinuous each packet crosses, however small,
// with the gaps of time that are in it and the marker where it begins again.
func TestSilence(t *testing.T) {
	for _, red := range []bool{false, true} {
		publisher, _, _, down := callRED(t, true)
		r := raw{pt: ptOpus, ssrc: 600, seq: 65530, ts: 1<<32 - 9600}
		now := time.Second
		send := func(step time.Duration, marker bool, body ...byte) {
			now += step
			r.seq++
			r.ts += uint32(ticks(step, 48000))
			r.marker = marker
			if r.pt = ptOpus; red {
				r.pt, body = ptAudioRED, append([]byte{ptOpus}, body...)
			}
			publisher.receiveRTP(r.bytes(body...), now, nil)
		}
		for range 5 {
			send(20*time.Millisecond, false, make([]byte, 60)...)
		}
		for range 10 { // libwebrtc sends one packet in 400 ms
			send(400*time.Millisecond, false, 8)
		}
		send(100*time.Millisecond, true, make([]byte, 60)...)
		sent := down.sent(t, audio)
		if len(sent) != 16 {
			t.Fatalf("%d packets of 16 crossed", len(sent))
		}
		for i := 1; i < len(sent); i++ {
			step := uint32(960)
			switch {
			case i == 15:
				step = 4800
			case i >= 5:
				step = 19200
			}
			if p := &sent[i]; p.seq != sent[i-1].seq+1 || p.ts-sent[i-1].ts != step || p.marker != (i == 15) {
				t.Errorf("packet %d is %d after %d, %d later, marker %v", i, p.seq, sent[i-1].seq, p.ts-sent[i-1].ts, p.marker)
			}
		}
	}
}

// TestOrientationSurvives: how a phone is held comes with a packet however that
// comes: as it is, repeated on either hop, restored by the relay from the
// publisher's parity, or by the subscriber from the relay's.
func TestOrientationSurvives(t *testing.T) {
	turned := func(seq uint16) byte { return byte(seq % 4) }
	publisher, subscriber, _, down := callRED(t, true)
	m := subscriber.media.Load()
	m.ext[video].orientation = 6 // under another number
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	p.warm(t, publisher, random, now)
	frame := func() []byte {
		p.raw.seq++
		p.raw.pt, p.raw.ext = ptRED, []byte{0x31, byte(p.raw.seq >> 8), byte(p.raw.seq), 0x40, turned(p.raw.seq)}
		b := p.raw.bytes(append([]byte{ptVP8}, deltaFrame...)...)
		p.group = append(p.group, b)

		return b
	}
	first := frame()
	p.base = p.raw.seq
	restored, repeated, last := frame(), frame(), frame()
	publisher.receiveRTP(bytes.Clone(first), now, nil)
	publisher.receiveRTP(bytes.Clone(last), now, nil)
	publisher.receiveRTP(repeat(t, 1, repeated, 0x40, turned(p.raw.seq-1), 0x31, 9, 9), now, nil)
	publisher.receiveRTP(p.parity(t, 0b1101<<44, &publisher.media.Load().ext[video]), now, nil) // not over the repeated one
	offset := publisher.to.to.Load().flows[video].seqOff
	sent := down.sent(t, video)
	var want packet
	want.parse(restored)
	seen := 0
	for i := range sent {
		q := &sent[i]
		if seq := q.seq - offset; seq < want.seq-1 || seq > want.seq+2 || len(q.payload) == 0 {
			continue
		}
		seen++
		if v := q.find(6); len(v) != 1 || v[0] != turned(q.seq-offset) {
			t.Errorf("packet %d has orientation %x", q.seq-offset, v)
		}
	}
	if seen != 4 || publisher.count.recovered.Load() != 2 {
		t.Fatalf("%d packets of 4 crossed, %d recovered", seen, publisher.count.recovered.Load())
	}
	parity := &sent[len(sent)-1]
	if parity.payload[0] != m.fec {
		t.Fatalf("at last came %+v", parity)
	}
	received := map[uint16][]byte{}
	for i := range sent {
		if q := &sent[i]; q.seq-offset != want.seq && len(q.payload) > 0 {
			received[q.seq] = bare(t, down.media[video][i], &m.ext[video])
		}
	}
	_, found := recoverFEC(t, parity.payload[1:], 21, received)
	var q packet
	if !q.parse(found) || q.seq-offset != want.seq || !bytes.Equal(q.find(6), []byte{turned(want.seq)}) {
		t.Errorf("the subscriber restores %+v", q)
	}
	control(t, subscriber, now+time.Second, &rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: want.seq + offset}}})
	if len(down.repairs) != 1 || !q.parse(down.repairs[0]) || !bytes.Equal(q.find(6), []byte{turned(want.seq)}) {
		t.Errorf("%d repairs, %+v", len(down.repairs), q)
	}
}

// TestOrientationEndToEnd: from one client to another, by either plane.
func TestOrientationEndToEnd(t *testing.T) {
	e := newTestEngine(t)
	a, b := newClient(t, e, clientConfig{}), newClient(t, e, clientConfig{})
	join(t, "room", a, b)
	id := func(c *client) (id uint8) {
		for _, line := range lines(c.answer, "a=extmap:") {
			if strings.HasSuffix(line, " "+uriOrientation) {
				_, _ = fmt.Sscanf(line, "a=extmap:%d", &id)
			}
		}
		if id == 0 {
			t.Fatal("the orientation was not negotiated")
		}

		return id
	}
	into, outOf := id(a), id(b)
	for i := range byte(20) {
		a.seq[video]++
		a.ts[video] += 3000
		h := rtp.Header{Version: 2, SequenceNumber: a.seq[video], Timestamp: a.ts[video], Marker: true}
		if err := h.SetExtension(into, []byte{i % 4}); err != nil {
			t.Fatal(err)
		}
		a.write(video, &rtp.Packet{Header: h, Payload: []byte{0x10, 0, 'A', i % 4}})
	}
	b.waitFrom(video, 'A', 10)
	for _, p := range b.packets(video) {
		if v := p.GetExtension(outOf); !slices.Equal(v, p.Payload[3:4]) {
			t.Errorf("orientation %x, want %x", v, p.Payload[3:4])
		}
	}
	a.close()
	b.close()
}
