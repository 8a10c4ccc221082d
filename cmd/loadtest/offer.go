package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/ice/v4"
)

const uriTransportCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

// offerSDP is an offer of audio and video in one bundle, with the feedback that
// every browser offers. Retransmission streams are left out: virtual users ask
// for nothing again and send nothing again.
func offerSDP(c credentials, fingerprint string, ssrc [kinds]uint32) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS *\r\n")
	for k, m := range [kinds]struct {
		name, codec string
		payload     int
		feedback    []string
	}{
		{"audio", "opus/48000/2", audioType, []string{"transport-cc"}},
		{"video", "VP8/90000", videoType, []string{"goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"}},
	} {
		fmt.Fprintf(&b, "m=%s 9 UDP/TLS/RTP/SAVPF %d\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n", m.name, m.payload)
		fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:sha-256 %s\r\na=setup:actpass\r\n", c.ufrag, c.password, fingerprint)
		fmt.Fprintf(&b, "a=mid:%d\r\na=sendrecv\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:%d %s\r\n", k, m.payload, m.codec)
		for _, f := range m.feedback {
			fmt.Fprintf(&b, "a=rtcp-fb:%d %s\r\n", m.payload, f)
		}
		fmt.Fprintf(&b, "a=extmap:%d %s\r\na=msid:loadtest %s\r\n", twccID, uriTransportCC, m.name)
		fmt.Fprintf(&b, "a=ssrc:%d cname:loadtest\r\na=ssrc:%d msid:loadtest %s\r\n", ssrc[k], ssrc[k], m.name)
	}

	return b.String()
}

// answer is what is needed of a server's.
type answer struct {
	credentials
	fingerprint string // algorithm and digest (RFC 8122 section 5)
	// active says that the server begins the DTLS handshake.
	active     bool
	candidates []netip.AddrPort // for UDP, the best first
}

func readAnswer(sdp string) (answer, error) {
	var a answer
	var found []ice.Candidate
	for line := range strings.Lines(sdp) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch key {
		case "a=ice-ufrag":
			a.ufrag = value
		case "a=ice-pwd":
			a.password = value
		case "a=fingerprint":
			a.fingerprint = value
		case "a=setup":
			a.active = value == "active"
		case "a=candidate":
			c, err := ice.UnmarshalCandidate(value)
			if err != nil {
				return a, fmt.Errorf("candidate %q: %w", value, err)
			}
			if c.Component() == ice.ComponentRTP && !c.NetworkType().IsTCP() {
				found = append(found, c)
			}
		}
	}
	slices.SortStableFunc(found, func(x, y ice.Candidate) int { return int(int64(y.Priority()) - int64(x.Priority())) })
	for _, c := range found {
		ip, err := netip.ParseAddr(c.Address())
		if to := netip.AddrPortFrom(ip, uint16(c.Port())); err == nil && !slices.Contains(a.candidates, to) {
			a.candidates = append(a.candidates, to)
		}
	}
	switch {
	case a.ufrag == "" || a.password == "" || a.fingerprint == "":
		return a, errors.New("the answer lacks ICE credentials or a fingerprint")
	case len(a.candidates) == 0:
		return a, errors.New("the answer has no address for UDP")
	}

	return a, nil
}
