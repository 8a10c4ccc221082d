package sfu

import (
	"net"
	"net/netip"
	"strings"
	"testing"
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
