package sfu

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// chromium is an offer of the shape that Chromium makes.
func chromium(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/chromium.sdp")
	if err != nil {
		t.Fatal(err)
	}

	return strings.ReplaceAll(string(b), "\n", "\r\n")
}

// manyFormats are more than there are.
func manyFormats() string {
	var b strings.Builder
	for i := range maxFormats {
		fmt.Fprintf(&b, " %d", 1000+i)
	}

	return b.String()
}

func TestOffer(t *testing.T) {
	good := chromium(t)
	beforeVideo, video, _ := strings.Cut(good, "m=video")
	video = "m=video" + video
	session, _, _ := strings.Cut(good, "m=audio")
	replace := func(from, to string) string { return strings.ReplaceAll(good, from, to) }
	for name, c := range map[string]struct {
		offer string
		ok    bool
	}{
		"chromium":             {good, true},
		"recvonly":             {replace("a=sendrecv", "a=recvonly"), true},
		"sendonly":             {replace("a=sendrecv", "a=sendonly"), true},
		"bundle-only":          {strings.Replace(good, "m=video 9", "a=x\r\nm=video 0", 1) + "a=bundle-only\r\n", true},
		"empty":                {"", false},
		"garbage":              {"hello\r\n", false},
		"too large":            {good + strings.Repeat("a=x:1\r\n", maxOffer/7), false},
		"no video":             {beforeVideo, false},
		"no media":             {session, false},
		"two videos":           {good + strings.Replace(video, "a=mid:1", "a=mid:2", 1), false},
		"data channel":         {good + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n", false},
		"lite":                 {strings.Replace(good, "a=group", "a=ice-lite\r\na=group", 1), false},
		"lite in a media line": {good + "a=ice-lite\r\n", false},
		"inactive":             {strings.Replace(good, "a=sendrecv", "a=inactive", 1), false},
		"switched off":         {strings.Replace(good, "m=video 9", "m=video 0", 1), false},
		"no fingerprint":       {replace("a=fingerprint", "a=x"), false},
		"no ufrag":             {replace("a=ice-ufrag", "a=x"), false},
		"short password":       {replace("a=ice-pwd:", "a=ice-pwd:short\r\na=x:"), false},
		"no mid":               {replace("a=mid", "a=x"), false},
		"same mid twice":       {replace("a=mid:1", "a=mid:0"), false},
		"not bundled":          {replace("BUNDLE 0 1", "BUNDLE 0"), false},
		"two transports":       {strings.Replace(good, "a=ice-ufrag:frag", "a=ice-ufrag:grof", 1), false},
		"a format twice":       {strings.Replace(good, "SAVPF 96", "SAVPF 96 96", 1), false},
		"many formats":         {strings.Replace(good, "SAVPF 96", "SAVPF 96"+manyFormats(), 1), false},
		"many attributes":      {good + strings.Repeat("a=rtcp-fb:96 x\r\n", maxAttributes), false},
		"simulcast":            {good + "a=simulcast:send a;b\r\n", false},
	} {
		o, err := parseOffer(c.offer)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (o != nil || err.Code() != codeRejected) {
			t.Errorf("%s: code %s", name, err.Code())
		}
		if err == nil && strings.Contains(o.sdp, "candidate") {
			t.Errorf("%s: candidates are left", name)
		}
	}
	o, err := parseOffer(good)
	if err != nil {
		t.Fatal(err)
	}
	if o.remote != [kinds]uint32{1001, 2001} || !slices.Equal(o.mids, []string{"0", "1"}) {
		t.Errorf("read %+v", o)
	}
}

// TestAnswers: each shape of offer that is accepted is answered in the same
// m-lines, passive, with VP8 first and only what the relay carries.
func TestAnswers(t *testing.T) {
	good := chromium(t)
	e := newTestEngine(t)
	for name, c := range map[string]struct {
		offer     string
		direction string
		streams   int
	}{
		"chromium": {good, "a=sendrecv", 2},
		"recvonly": {strings.ReplaceAll(good, "a=sendrecv", "a=recvonly"), "a=sendonly", 2},
		"sendonly": {strings.ReplaceAll(good, "a=sendrecv", "a=sendonly"), "a=recvonly", 0},
	} {
		p, err := e.NewPeer()
		if err != nil {
			t.Fatal(err)
		}
		answer, err := p.Answer(c.offer)
		if err != nil {
			t.Errorf("%s: %v", name, err)

			continue
		}
		if got := len(lines(answer, c.direction)); got != 2 {
			t.Errorf("%s: %d lines %s", name, got, c.direction)
		}
		if got := len(lines(answer, "a=msid:")); got != c.streams {
			t.Errorf("%s: %d streams", name, got)
		}
		if !slices.Equal(lines(answer, "a=mid:"), []string{"a=mid:0", "a=mid:1"}) || len(lines(answer, "a=setup:passive")) != 2 {
			t.Errorf("%s: media lines\n%s", name, answer)
		}
		if picture := lines(answer, "m=video"); len(picture) != 1 || !strings.HasPrefix(picture[0], "m=video 9 UDP/TLS/RTP/SAVPF 96 97 ") {
			t.Errorf("%s: %v", name, picture)
		}
		if got := lines(answer, "a=candidate:"); len(got) != 1 || !strings.Contains(got[0], " 1 udp ") {
			t.Errorf("%s: candidates %v", name, got)
		}
		if strings.Contains(answer, "sdes:mid") || len(lines(answer, "a=ice-lite")) != 1 {
			t.Errorf("%s: answer\n%s", name, answer)
		}
		m := p.leg.media.Load()
		if c.streams > 0 && (m.ext[video].playoutDelay != 5 || m.ext[video].absSendTime != 2 || m.ext[audio].transportCC != 3 || m.repair == 0) {
			t.Errorf("%s: negotiated %+v", name, m.ext)
		}
		if c.streams > 0 && (m.red != ptRED || m.fec != ptFEC || m.payloads[ptRED].repair != ptREDRTX ||
			m.sends[video].protects() || m.sends[audio].protects() || !m.wide(audio)) {
			t.Errorf("%s: negotiated RED %d, parity %d, to send %v", name, m.red, m.fec, m.sends)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOfferWithoutKnownCodec: well formed, but nothing that can be relayed.
func TestOfferWithoutKnownCodec(t *testing.T) {
	e := newTestEngine(t)
	p, err := e.NewPeer()
	if err != nil {
		t.Fatal(err)
	}
	var refused *Error
	offer := strings.ReplaceAll(chromium(t), "opus/48000/2", "speex/48000/2")
	if _, err := p.Answer(offer); !errors.As(err, &refused) || refused.Code() != codeRejected {
		t.Errorf("answer: %v", err)
	}
	<-p.Done()
}

func TestTidy(t *testing.T) {
	const one, two = "a=candidate:1 1 udp 5 10.0.0.1 443 typ host\r\n", "a=candidate:1 2 udp 5 10.0.0.1 443 typ host\r\n"
	if got := tidy("v=0\r\n" + one + two); got != "v=0\r\n"+one {
		t.Errorf("%q", got)
	}
}

// FuzzOffer: what a stranger offers is refused or answered, nothing else.
func FuzzOffer(f *testing.F) {
	f.Add(chromium(f))
	f.Add("v=0\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOffer(text)
		if err != nil {
			return
		}
		d := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.sdp}
		if _, err := d.Unmarshal(); err != nil {
			t.Fatalf("what was accepted cannot be read again: %v", err)
		}
	})
}

func TestListenAddresses(t *testing.T) {
	listen := func(address string) net.PacketConn {
		conn, err := net.ListenPacket("udp4", address)
		if err != nil {
			t.Fatal(err)
		}

		return conn
	}
	public := netip.MustParseAddr("203.0.113.5")
	for name, c := range map[string]struct {
		config Config
		want   []string
	}{
		"bound": {Config{UDP: []net.PacketConn{listen("127.0.0.1:0")}, Addresses: []netip.Addr{public}}, []string{"127.0.0.1"}},
		"given": {Config{
			UDP: []net.PacketConn{listen("0.0.0.0:0")}, Addresses: []netip.Addr{public, netip.MustParseAddr("2001:db8::1")},
		}, []string{"203.0.113.5"}},
		"several": {Config{UDP: []net.PacketConn{listen("127.0.0.1:0"), listen("0.0.0.0:0")}, Addresses: []netip.Addr{public}}, []string{"127.0.0.1", "203.0.113.5"}},
	} {
		e, err := New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range e.mux.GetListenAddresses() {
			got = append(got, a.(*net.UDPAddr).IP.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	e, err := New(Config{UDP: []net.PacketConn{listen("0.0.0.0:0")}, IncludeLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.mux.GetListenAddresses()) == 0 {
		t.Error("no interface address is offered")
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an engine without a socket")
	}
}
