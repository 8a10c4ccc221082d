package sfu

import (
	"net/netip"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// pathSilence is how long a path must be silent before a worse one may replace
// it. One that carries a call is silent for 20 ms.
const pathSilence = 2 * time.Second

// nomination is the pair that a client chose; the ICE agent's goroutine has it.
type nomination struct{ pair *ice.CandidatePair }

func (p *Peer) transport() *webrtc.ICETransport { return p.pc.SCTP().Transport().ICETransport() }

// path is how the client comes to us.
func (p *Peer) path() string {
	a, ok := p.selected()
	if !ok {
		return ""
	}

	return pathOf(a.Addr())
}

// selected is the client's address.
func (p *Peer) selected() (netip.AddrPort, bool) {
	pair, err := p.transport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddr(pair.Remote.Address)

	return netip.AddrPortFrom(a, pair.Remote.Port), err == nil
}

// nominate is told of each connectivity check and returns true to use its pair
// from now on. Pion follows a client that nominates a better pair, and not one
// that nominates a worse one, because some nominate every pair they try. But
// when the better one is dead, as when UDP is cut in mid-call, the client is right.
func (p *Peer) nominate(m *stun.Message, _, remote ice.Candidate, pair *ice.CandidatePair) bool {
	n := &p.nominated
	if !m.Contains(stun.AttrUseCandidate) || n.pair == pair {
		return false
	}
	a, ok := p.selected()
	now, err := netip.ParseAddr(remote.Address())
	if ok && err == nil && a == netip.AddrPortFrom(now, uint16(remote.Port())) {
		n.pair = pair // Pion has followed

		return false
	}
	if n.pair == nil || time.Since(n.pair.Remote.LastReceived()) < pathSilence {
		return false
	}
	n.pair = pair

	return true
}

// openStreams lets the client in by TCP and TURN with the credentials of the
// last answer. p.answering is held.
func (p *Peer) openStreams() {
	mine, err := p.transport().GetLocalParameters()
	if err != nil {
		return // it is closed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.end = p.engine.hub.arm(mine.UsernameFragment, mine.Password, p.leg)
	}
}

// closeStreams ends the client's connections and allocations.
func (p *Peer) closeStreams() {
	p.mu.Lock()
	end := p.end
	p.mu.Unlock()
	if end != nil {
		p.engine.hub.remove(end, true)
	}
}
