package sfu

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// socketAt is a UDP socket of which only the address matters.
type socketAt struct {
	net.PacketConn
	ip string
}

func (s socketAt) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.ParseIP(s.ip), Port: 8080} }

// TestTCPCandidates offers TCP only where somebody listens.
func TestTCPCandidates(t *testing.T) {
	const answer = "a=candidate:1 1 udp 2130706431 127.0.0.1 8080 typ host\r\na=candidate:2 1 udp 2130706431 192.0.2.2 8080 typ host\r\n"
	lo, lan, public := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("203.0.113.5")
	for name, tc := range map[string]struct {
		listens, public []netip.Addr
		want            []string
		udp             int
	}{
		"everywhere":           {nil, nil, []string{"tcp 1671430143 127.0.0.1 8443", "tcp 1671430142 192.0.2.2 8443"}, 2},
		"on one":               {[]netip.Addr{lo}, nil, []string{"tcp 1671430143 127.0.0.1 8443"}, 2},
		"on the second":        {[]netip.Addr{lan}, nil, []string{"tcp 1671430142 192.0.2.2 8443"}, 2},
		"behind a public one":  {[]netip.Addr{lan}, []netip.Addr{public}, []string{"tcp 1671430143 203.0.113.5 8443"}, 1},
		"public and one's own": {[]netip.Addr{lan}, []netip.Addr{public, lo, lan}, []string{"203.0.113.5 8443", "192.0.2.2 8443"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			config := Config{
				UDP:          []net.PacketConn{socketAt{ip: "127.0.0.1"}, socketAt{ip: "192.0.2.2"}},
				TCPAddresses: tc.listens, TCPPort: 8443, PublicAddresses: tc.public,
			}
			e := &Engine{config: config, tcp: &tcpServer{}, hub: newHub(nil)}
			got := e.advertise(answer)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if n := strings.Count(got, " tcp "); n != len(tc.want) {
				t.Errorf("%d TCP candidates, want %d:\n%s", n, len(tc.want), got)
			}
			if n := strings.Count(got, " udp "); n != tc.udp {
				t.Errorf("%d UDP candidates, want %d:\n%s", n, tc.udp, got)
			}
		})
	}
}

// TestManyPlaces: a client who comes from ever new addresses, as it may forge
// them, is not answered at all of them, and still is at those before. Only who
// begins ICE anew has as many again.
func TestManyPlaces(t *testing.T) {
	e := newTestEngine(t)
	p := newRawPeer(t, e)
	to := e.config.UDP[0].LocalAddr()
	answered := func(s net.PacketConn, patience time.Duration) bool {
		t.Helper()
		if _, err := s.WriteTo(p.check(t, p.password), to); err != nil {
			t.Fatal(err)
		}
		_ = s.SetReadDeadline(time.Now().Add(patience))
		_, _, err := s.ReadFrom(make([]byte, 1500))

		return err == nil
	}
	open := func() net.PacketConn {
		t.Helper()
		s, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() }) // and not before: its port would be somebody's again

		return s
	}
	first := open()
	if !answered(first, 10*time.Second) {
		t.Fatal("a client is not answered")
	}
	for i := 1; p.candidates.Load() < maxCandidates; i++ {
		if !answered(open(), 10*time.Second) {
			t.Fatalf("address %d is not answered", i)
		}
		if i > maxCandidates {
			t.Fatal("they are not counted")
		}
	}
	another := open()
	for range 3 {
		if answered(another, 100*time.Millisecond) {
			t.Fatal("one address too many is answered")
		}
		if !answered(first, 10*time.Second) {
			t.Fatal("an address of before is not answered any more")
		}
	}
	offer := func(session, ufrag string) {
		t.Helper()
		sdp := strings.ReplaceAll(chromium(t), "a=ice-ufrag:frag", "a=ice-ufrag:"+ufrag)
		var err error
		if p.answer, err = p.Answer(strings.Replace(sdp, "m=audio", session+"m=audio", 1)); err != nil {
			t.Fatal(err)
		}
		p.ufrag = strings.TrimPrefix(lines(p.answer, "a=ice-ufrag:")[0], "a=ice-ufrag:")
		p.password = strings.TrimPrefix(lines(p.answer, "a=ice-pwd:")[0], "a=ice-pwd:")
	}
	before := p.ufrag
	offer("a=ice-ufrag:frag\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n", "grof")
	if p.ufrag != before || answered(another, 100*time.Millisecond) {
		t.Error("an offer that only looks like a restart is one")
	}
	offer("", "gorf")
	p.remote = "gorf"
	if p.ufrag == before || !answered(another, 10*time.Second) {
		t.Error("ICE does not begin anew")
	}
}
