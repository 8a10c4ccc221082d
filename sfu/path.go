package sfu

import (
	"net/netip"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// pathSilence is how long a path must be silent before a worse one may replace
// it. One that carries a call is silent for 20 ms.
const pathSilence = 2 * time.Second

// nomination is the pair that a client chose; the ICE agent's goroutine has it.
type nomination struct {
	ufrag string // ours, of that generation
	pair  *ice.CandidatePair
}

// nominate is told of each connectivity check and returns true to use its pair
// from now on. It is called with the agent's lock held: nothing here may ask
// the agent, or who waits for it.
//
// Pion follows a client that nominates a better pair, and not one that
// nominates a worse one, because some nominate every pair they try. But when
// the better one is dead, as when UDP is cut in mid-call, the client is right.
func (n *nomination) nominate(m *stun.Message, _, _ ice.Candidate, pair *ice.CandidatePair) bool {
	if !m.Contains(stun.AttrUseCandidate) || n.pair == pair {
		return false
	}
	ufrag := addressee(m)
	first := n.pair == nil || n.ufrag != ufrag
	if !first && pairPriority(pair) <= pairPriority(n.pair) {
		if time.Since(n.pair.Remote.LastReceived()) < pathSilence {
			return false
		}
		n.pair = pair

		return true
	}
	n.pair, n.ufrag = pair, ufrag // Pion has followed

	return false
}

// pairPriority is that of RFC 8445 section 6.1.2.3, where the client is in
// control.
func pairPriority(p *ice.CandidatePair) uint64 {
	g, d := uint64(p.Remote.Priority()), uint64(p.Local.Priority())
	priority := min(g, d)<<32 + 2*max(g, d)
	if g > d {
		priority++
	}

	return priority
}

// path is how the client comes to us.
func (p *Peer) path() string {
	if state, _ := p.State(); state == stateNew { // Pion is still starting
		return ""
	}
	pair, err := p.ice().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return ""
	}
	a, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return ""
	}

	return pathOf(a)
}

func (p *Peer) ice() *webrtc.ICETransport { return p.pc.SCTP().Transport().ICETransport() }

// openStreams lets the client in by TCP and TURN with the credentials that an
// answer tells it.
func (p *Peer) openStreams(answer string) {
	var ufrag, password string
	for line := range strings.Lines(answer) {
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok {
			ufrag = strings.TrimSpace(v)
		} else if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok {
			password = strings.TrimSpace(v)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ufrag != p.ufrag { // an offer that only looks like a restart changes nothing
		p.ufrag = ufrag
		p.candidates.Store(0)
	}
	if !p.closing {
		p.end = p.engine.hub.arm(ufrag, password, p.leg)
		if l := p.lane.Load(); l != nil && p.end != nil {
			p.end.media.Store(&post{lane: l})
		}
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
