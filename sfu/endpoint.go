package sfu

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// linksPerEndpoint is how many TCP connections one client may have at once.
// A browser has one for each of its networks, and opens new ones as it moves.
const linksPerEndpoint = 8

// link is a stream that leads to a client. None of its methods blocks.
type link interface {
	// deliver sends a copy of a datagram, or loses it.
	deliver(b []byte, video bool)
	// unbind says that the endpoint has ended; for good if the peer has.
	unbind(forGood bool)
}

// endpoint is one generation of ICE credentials of one peer, as the streams
// know it. Only who has proved to know the password gets a link to it, and the
// agent behind it can write to those links only.
type endpoint struct {
	hub     *hub
	ufrag   string
	inboxes [families]*inbox // guarded by hub.mu

	mu       sync.Mutex // guards the rest
	closed   bool
	media    atomic.Pointer[post] // takes media on the fast plane; nil before
	password string               // empty until the answer is ready
	leg      *leg
	links    map[netip.AddrPort]link
	streams  []*tcpLink // TCP connections among the links, the oldest first
	// last is the address of the connection that was closed last, for the next
	// one: Firefox goes on with the address that it had.
	last [families]netip.AddrPort
}

// send hands a datagram to the stream of a virtual address.
func (e *endpoint) send(b []byte, to netip.AddrPort) {
	e.mu.Lock()
	l, client := e.links[netip.AddrPortFrom(to.Addr().Unmap(), to.Port())], e.leg
	e.mu.Unlock()
	if l == nil {
		e.hub.count.unreachable.Add(1)

		return
	}
	l.deliver(b, client.isVideo(b))
}

// isVideo reports whether an encrypted datagram to this peer is video or its
// retransmission. The SSRC is in clear (RFC 3711 section 3.1).
func (l *leg) isVideo(b []byte) bool {
	if l == nil || len(b) < rtpHeaderSize || b[0]>>6 != rtpVersion || b[1] >= 192 && b[1] < 224 { // RTCP, RFC 5761
		return false
	}
	m := l.media.Load()
	if m == nil {
		return false
	}
	ssrc := binary.BigEndian.Uint32(b[8:])

	return ssrc != 0 && (ssrc == m.ssrc[video] || ssrc == m.repair)
}

// arm makes the endpoint ready for clients.
func (e *endpoint) arm(password string, client *leg) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.password, e.leg = password, client
}

func (e *endpoint) secret() string {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.password
}

// attach makes a link reachable under an address. It returns false if the
// endpoint has ended.
func (e *endpoint) attach(l link, at netip.AddrPort) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.links[at] = l

	return true
}

// connect attaches a TCP connection, which gets the address of the one that
// was closed last, or a new one. If there are too many the oldest goes: this
// one's client has just shown that it is alive.
func (e *endpoint) connect(t *tcpLink, f family) (netip.AddrPort, bool) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()

		return netip.AddrPort{}, false
	}
	at := e.last[f]
	e.last[f] = netip.AddrPort{}
	if !at.IsValid() {
		at = e.hub.numbers.connection(f)
	}
	e.links[at] = t
	e.streams = append(e.streams, t)
	var oldest *tcpLink
	if len(e.streams) > linksPerEndpoint {
		oldest = e.streams[0]
		e.hub.count.evicted.Add(1)
	}
	e.mu.Unlock()
	if oldest != nil {
		oldest.unbind(true)
	}

	return at, true
}

// detach takes a link away.
func (e *endpoint) detach(l link, at netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.links[at] != l {
		return
	}
	delete(e.links, at)
	if t, ok := l.(*tcpLink); ok {
		e.last[familyOf(at.Addr())] = at
		e.streams = slices.DeleteFunc(e.streams, func(s *tcpLink) bool { return s == t })
	}
}

// close ends the endpoint: its TCP connections are closed, and its TURN
// allocations too if the peer has ended and not just changed its credentials.
func (e *endpoint) close(forGood bool) {
	e.mu.Lock()
	e.closed = true
	links := e.links
	e.links, e.streams, e.leg = nil, nil, nil
	e.mu.Unlock()
	for _, l := range links {
		l.unbind(forGood)
	}
}

// caughtUp is told by a link that it has sent all that was left after some
// video had to be thrown away: the client's decoder needs a key frame now, and
// is spared a round trip if it need not ask for it.
func (e *endpoint) caughtUp(now time.Duration) {
	e.mu.Lock()
	client := e.leg
	e.mu.Unlock()
	if client != nil {
		e.hub.count.caughtUp.Add(1)
		client.wantKeyFrame(now, nil)
	}
}
