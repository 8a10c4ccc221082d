package sfu

import (
	"bytes"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	good := raw{pt: 96, marker: true, seq: 7, ts: 8, ssrc: 9, ext: []byte{0x10, 5}, pad: 3}.bytes(1, 2)
	var p packet
	if !p.parse(good) {
		t.Fatal("refused")
	}
	if p.pt != 96 || !p.marker || p.seq != 7 || p.ts != 8 || p.ssrc != 9 || !bytes.Equal(p.payload, []byte{1, 2}) {
		t.Errorf("parsed %+v", p)
	}
	withSource := append([]byte{0x81}, raw{ssrc: 1}.bytes()[1:]...)
	for name, b := range map[string][]byte{
		"empty":                nil,
		"short":                good[:11],
		"version":              append([]byte{0x40}, good[1:]...),
		"source cut off":       withSource,
		"extension cut off":    good[:15],
		"padding too long":     append(raw{pad: 1}.bytes()[:12:12], 200),
		"padding of nothing":   append(raw{pad: 1}.bytes()[:12:12], 0),
		"longer than a packet": append(good[:len(good):len(good)], make([]byte, maxPacket)...),
	} {
		if p.parse(b) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFindExtension(t *testing.T) {
	for name, c := range map[string]struct {
		profile uint16
		ext     []byte
		want    []byte
	}{
		"one byte form":         {profileOneByte, []byte{0x20, 1, 0, 0x31, 8, 9}, []byte{8, 9}},
		"two byte form":         {profileTwoByte, []byte{2, 0, 0, 3, 2, 8, 9}, []byte{8, 9}},
		"absent":                {profileOneByte, []byte{0x20, 1, 0, 0}, nil},
		"cut off":               {profileOneByte, []byte{0x3f, 1}, nil},
		"two byte form cut off": {profileTwoByte, []byte{3}, nil},
		"ended by id 15":        {profileOneByte, []byte{0xf0, 1, 0x31, 8, 9}, nil},
		"not extensions":        {0x1234, []byte{0x31, 8, 9}, nil},
	} {
		p := packet{profile: c.profile, ext: c.ext}
		if got := p.find(3); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if p := (packet{profile: profileOneByte, ext: []byte{0x00, 1}}); p.find(0) != nil {
		t.Error("id 0 was found")
	}
}

func TestOutExtensions(t *testing.T) {
	in := extensions{orientation: 1, audioLevel: 6, transportCC: 2}
	out := extensions{orientation: 9, absSendTime: 3, playoutDelay: 4, transportCC: 5}
	p := packet{profile: profileOneByte, ext: []byte{0x10, 0xa3, 0x21, 7, 7}} // of the orientation 4 bits are reserved
	var o outExtensions
	o.sendTime(&out, 1500*time.Millisecond)
	o.number(&out, 0x0809)
	o.fill(&p, &in, &out, playoutFree)
	var q packet
	if !q.parse(append(o.append(appendHeader(nil, &p, true)), 1)) {
		t.Fatal("malformed")
	}
	for id, want := range map[uint8][]byte{
		9: {3}, 3: {0x06, 0x00, 0x00}, 4: {0, 0x03, 0xe8}, 5: {8, 9}, 2: nil, 1: nil,
	} {
		if got := q.find(id); !bytes.Equal(got, want) {
			t.Errorf("extension %d is %v, want %v", id, got, want)
		}
	}
	var e extensions
	e.set(uriPlayoutDelay, 15)
	e.set(uriAbsSendTime, 14)
	if e.playoutDelay != 0 || e.absSendTime != 14 {
		t.Errorf("ids %+v", e)
	}
}

// TestLongUptime: what is counted from the server's start, or from the last
// partner, goes on evenly however long ago that was.
func TestLongUptime(t *testing.T) {
	const step = 10 * time.Millisecond
	for _, rate := range []uint64{1 << 18, 48000, 90000, 1 << 32} {
		first := time.Duration(1<<63/rate) * 2 // where nanoseconds times the rate pass 64 bits
		for _, at := range []time.Duration{0, first - time.Millisecond, 1000 * time.Hour, 1000000 * time.Hour} {
			if got, want := ticks(at+step, rate)-ticks(at, rate), rate/100; got < want || got > want+1 {
				t.Errorf("%d units a second, at %v: %v are %d", rate, at, step, got)
			}
		}
	}
	if got := absSendTime(20*time.Hour + step); got != (20*3600<<18+2621)&0xffffff {
		t.Errorf("send time %x", got)
	}
	r := reception{clock: 48000}
	for seq := range int64(200) {
		r.record(seq, uint32(seq)*480, time.Duration(1<<63/48000)*2-time.Second+time.Duration(seq)*step)
	}
	if got := r.report(); got.jitter > 1 {
		t.Errorf("jitter of an even stream is %d", got.jitter)
	}
}

func TestKeyFrameStart(t *testing.T) {
	for name, c := range map[string]struct {
		codec   codecName
		payload []byte
		want    bool
	}{
		"vp8 key":                    {codecVP8, []byte{0x10, 0x00}, true},
		"vp8 delta":                  {codecVP8, []byte{0x10, 0x01}, false},
		"vp8 key, later packet":      {codecVP8, []byte{0x00, 0x00}, false},
		"vp8 key, later partition":   {codecVP8, []byte{0x11, 0x00}, false},
		"vp8 key, long picture id":   {codecVP8, []byte{0x90, 0xf0, 0x81, 2, 3, 4, 0x00}, true},
		"vp8 delta, long picture id": {codecVP8, []byte{0x90, 0xf0, 0x81, 2, 3, 4, 0x01}, false},
		"vp8 key, short picture id":  {codecVP8, []byte{0x90, 0x80, 0x01, 0x00}, true},
		"vp8 cut off":                {codecVP8, []byte{0x90, 0x80}, false},
		"vp8 cut off earlier":        {codecVP8, []byte{0x90}, false},
		"vp9 key":                    {codecVP9, []byte{0x8c, 0x01, 1}, true},
		"vp9 predicted":              {codecVP9, []byte{0xcc, 0x01, 1}, false},
		"vp9 later packet":           {codecVP9, []byte{0x84, 0x01, 1}, false},
		"vp9 base layer":             {codecVP9, []byte{0xa8, 0x81, 1, 0x00}, true},
		"vp9 upper layer":            {codecVP9, []byte{0xa8, 0x01, 0x02}, false},
		"vp9 cut off":                {codecVP9, []byte{0xa8, 0x81}, false},
		"vp9 cut off earlier":        {codecVP9, []byte{0xa8}, false},
		"h264 parameter set":         {codecH264, []byte{0x67, 1}, true},
		"h264 idr":                   {codecH264, []byte{0x65, 1}, true},
		"h264 slice":                 {codecH264, []byte{0x41, 1}, false},
		"h264 aggregate":             {codecH264, []byte{24, 0, 1, 0x09, 0, 1, 0x67}, true},
		"h264 aggregate, no key":     {codecH264, []byte{24, 0, 1, 0x09, 0, 1, 0x41}, false},
		"h264 aggregate, cut off":    {codecH264, []byte{24, 0, 9, 0x67}, false},
		"h264 fragment, start":       {codecH264, []byte{28, 0x85}, true},
		"h264 fragment, later":       {codecH264, []byte{28, 0x05}, false},
		"av1 new sequence":           {codecAV1, []byte{0x18, 1}, true},
		"av1 same sequence":          {codecAV1, []byte{0x10, 1}, false},
		"empty":                      {codecVP8, nil, false},
		"opus":                       {codecOpus, []byte{0x10, 0}, false},
	} {
		if got := keyFrameStart(c.codec, c.payload); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name := range codecAV1 + 1 {
		if keyFrameStart(name, nil) {
			t.Errorf("codec %d: an empty packet is a key frame", name)
		}
	}
}

func TestCodec(t *testing.T) {
	for _, c := range []struct {
		mime, fmtp string
		want       codec
	}{
		{"audio/opus", "minptime=10", codec{name: codecOpus}},
		{"video/VP8", "", codec{name: codecVP8}},
		{"video/VP9", "profile-id=2", codec{name: codecVP9, profile: 2}},
		{"video/VP9", "", codec{name: codecVP9}},
		{"video/AV1", "level-idx=5;profile=0;tier=0", codec{name: codecAV1}},
		{"video/H264", "level-asymmetry-allowed=1; packetization-mode=1; profile-level-id=42e01f", codec{name: codecH264, profile: 0x4201}},
		{"video/H264", "profile-level-id=640c1f", codec{name: codecH264, profile: 0x6400}},
		{"video/H264", "", codec{name: codecH264, profile: 0x4200}},
		{"video/rtx", "apt=96", codec{}},
	} {
		if got := newCodec(c.mime, c.fmtp); got != c.want {
			t.Errorf("%s %s: %+v, want %+v", c.mime, c.fmtp, got, c.want)
		}
	}
}

func TestRTX(t *testing.T) {
	sent := raw{pt: ptVP8, marker: true, seq: 77, ts: 5, ssrc: 9, ext: []byte{0x10, 5}}.bytes(1, 2, 3)
	b, ok := appendRTX(nil, sent, ptRTX, 4, 10, &extensions{}, 0)
	var p packet
	if !ok || !p.parse(b) || p.pt != ptRTX || p.seq != 4 || p.ssrc != 10 || p.ts != 5 || !p.marker {
		t.Fatalf("wrapped as %+v", p)
	}
	if !p.unwrap(ptVP8, 9) || p.seq != 77 || p.pt != ptVP8 || p.ssrc != 9 || !bytes.Equal(p.payload, []byte{1, 2, 3}) {
		t.Errorf("unwrapped as %+v", p)
	}
	if _, ok := appendRTX(nil, sent[:5], ptRTX, 4, 10, &extensions{}, 0); ok {
		t.Error("wrapped half a packet")
	}
	p.parse(raw{pad: 200}.bytes())
	if p.unwrap(ptVP8, 9) {
		t.Error("a probe was taken for a repair")
	}
}
