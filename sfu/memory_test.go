package sfu

import (
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// memory is a transport that keeps what is sent.
type memory struct {
	mu      sync.Mutex
	media   [kinds][][]byte
	repairs [][]byte
	control []rtcp.Packet
	// onMedia, if set, sees each packet of media and repair instead of keeping it.
	onMedia func(b []byte)
	// onControl, if set, sees the feedback instead of keeping it.
	onControl func(b []byte)
	// strict, if set, fails when control is malformed.
	strict testing.TB
}

func (m *memory) sendRTP(_ *burst, k kind, b []byte) error {
	if m.onMedia != nil {
		m.onMedia(b)

		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.media[k] = append(m.media[k], append([]byte(nil), b...))

	return nil
}

func (m *memory) sendRepair(_ *burst, b []byte, _ int64) error {
	if m.onMedia != nil {
		m.onMedia(b)

		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.repairs = append(m.repairs, append([]byte(nil), b...))

	return nil
}

func (m *memory) sendRTCP(_ *burst, b []byte) error {
	if m.onControl != nil {
		m.onControl(b)

		return nil
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		if m.strict != nil {
			m.strict.Fatalf("sent malformed control %x: %v", b, err)
		}

		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = append(m.control, packets...)

	return nil
}

// sent parses the media packets that were sent.
func (m *memory) sent(t testing.TB, k kind) []packet {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	packets := make([]packet, len(m.media[k]))
	for i, b := range m.media[k] {
		if !packets[i].parse(b) {
			t.Fatalf("packet %d is malformed: %x", i, b)
		}
	}

	return packets
}

// takeControl returns the feedback that was sent, and forgets it.
func (m *memory) takeControl() []rtcp.Packet {
	m.mu.Lock()
	defer m.mu.Unlock()
	packets := m.control
	m.control = nil

	return packets
}

// Payload types of testMedia.
const (
	ptOpus = 111
	ptVP8  = 96
	ptRTX  = 97
	ptH264 = 102
)

// testMedia is what a browser would negotiate. The SSRCs we send begin at ssrc,
// those the peer sends at ssrc+100.
func testMedia(ssrc uint32) *media {
	m := &media{
		sends:    [kinds]codec{{name: codecOpus}, {name: codecVP8}},
		receives: [kinds]bool{true, true},
		ssrc:     [kinds]uint32{ssrc, ssrc + 1}, repair: ssrc + 2,
		ext: [kinds]extensions{
			audio: {transportCC: 3, absSendTime: 2, audioLevel: 1},
			video: {transportCC: 3, absSendTime: 2, playoutDelay: 5, orientation: 4},
		},
	}
	for pt := range m.payloads {
		m.payloads[pt].repair = noPayload
	}
	m.payloads[ptOpus] = payload{codec: codec{name: codecOpus}, repair: noPayload, transportCC: true}
	m.payloads[ptVP8] = payload{codec: codec{name: codecVP8}, repair: ptRTX, nack: true, pli: true, fir: true, transportCC: true}
	m.payloads[ptRTX] = payload{codec: codec{name: codecVP8}, rtx: true, apt: ptVP8, repair: noPayload}
	m.payloads[ptH264] = payload{codec: codec{name: codecH264, profile: 0x4201}, repair: noPayload, pli: true}

	return m
}

// newTestLeg makes a leg on a transport in memory, with media negotiated.
func newTestLeg(ssrc uint32) (*leg, *memory) {
	out := &memory{}
	l := newLeg(out, defaultMaxBitrate, ntpEpoch, random)
	l.negotiated(testMedia(ssrc))

	return l, out
}

// raw builds a packet the way a browser does.
type raw struct {
	pt     uint8
	marker bool
	seq    uint16
	ts     uint32
	ssrc   uint32
	ext    []byte // one byte form, unpadded
	pad    byte
}

func (r raw) bytes(payload ...byte) []byte {
	p := packet{pt: r.pt, marker: r.marker, seq: r.seq, ts: r.ts, ssrc: r.ssrc}
	b := appendHeader(nil, &p, len(r.ext) > 0)
	if len(r.ext) > 0 {
		words := (len(r.ext) + 3) / 4
		b = append(b, profileOneByte>>8, profileOneByte&0xff, 0, byte(words))
		b = append(b, r.ext...)
		b = append(b, make([]byte, 4*words-len(r.ext))...)
	}
	b = append(b, payload...)
	if r.pad > 0 {
		b[0] |= 0x20
		b = append(append(b, make([]byte, r.pad-1)...), r.pad)
	}

	return b
}

// Payloads that begin a VP8 frame: key and not key.
var (
	keyFrame   = []byte{0x10, 0x00, 1, 2, 3}
	deltaFrame = []byte{0x10, 0x01, 1, 2, 3}
)

// camera sends VP8 frames of one packet from a test leg.
type camera struct {
	leg *leg
	raw raw
	now time.Duration
}

func newCamera(l *leg, ssrc uint32) *camera {
	return &camera{leg: l, raw: raw{pt: ptVP8, seq: 65530, ts: 1<<32 - 9000, ssrc: ssrc, marker: true}}
}

// frame sends one frame, 33 ms after the one before.
func (c *camera) frame(payload []byte) {
	c.now += 33 * time.Millisecond
	c.raw.seq++
	c.raw.ts += 3000
	c.leg.receiveRTP(c.raw.bytes(payload...), c.now, nil)
}

// discardSender is a transport that keeps nothing.
type discardSender struct{}

func (discardSender) sendRTP(*burst, kind, []byte) error     { return nil }
func (discardSender) sendRepair(*burst, []byte, int64) error { return nil }
func (discardSender) sendRTCP(*burst, []byte) error          { return nil }
