package sfu

import (
	"net/netip"
	"strings"
	"testing"
)

// TestTCPCandidates offers TCP only where somebody listens.
func TestTCPCandidates(t *testing.T) {
	const answer = "a=candidate:1 1 udp 2130706431 127.0.0.1 8080 typ host\r\na=candidate:2 1 udp 2130706431 192.0.2.2 8080 typ host\r\n"
	for name, tc := range map[string]struct {
		listens []netip.Addr
		want    []string
	}{
		"everywhere": {nil, []string{"tcp 1671430143 127.0.0.1 8443", "tcp 1671430142 192.0.2.2 8443"}},
		"on one":     {[]netip.Addr{netip.MustParseAddr("127.0.0.1")}, []string{"tcp 1671430143 127.0.0.1 8443"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Engine{config: Config{TCPAddresses: tc.listens, TCPPort: 8443}, tcp: &tcpServer{}, hub: newHub(nil)}
			got := e.advertise(answer)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if n := strings.Count(got, " tcp "); n != len(tc.want) {
				t.Errorf("%d TCP candidates, want %d", n, len(tc.want))
			}
			if n := strings.Count(got, " udp "); n != 2 {
				t.Errorf("%d UDP candidates, want 2", n)
			}
		})
	}
}
