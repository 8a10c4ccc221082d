package sfu

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

var errNotSelected = errors.New("ICE has selected no pair")

// serve decides, once, which plane a connected peer's media takes. By then the
// client's fingerprint has been compared, so the keys are good to use. p.mu is
// held.
func (p *Peer) serve() {
	if p.served.Load() != nil || p.closing {
		return
	}
	by := planePion
	if p.engine.fast {
		err := p.enterLane()
		if err == nil {
			by = planeFast
		} else {
			p.capture.wipeAll()
			p.engine.plane.count.fallenBack.Add(1)
			p.engine.log.Warn("a connection takes the slow media plane", "error", err)
		}
	}
	p.engine.plane.enter(by)
	p.served.Store(&by)
}

// enterLane makes the peer's lane and puts it where its client is; p.mu is held.
func (p *Peer) enterLane() error {
	keys, err := p.capture.take()
	if err != nil {
		return err
	}
	defer keys.wipe()
	if p.where == nil { // we come before the news
		pair, err := p.ice().GetSelectedCandidatePair()
		if err == nil && pair == nil {
			err = errNotSelected
		}
		if err != nil {
			return fmt.Errorf("ask ICE for the client's address: %w", err)
		}
		if p.where, err = p.place(pair); err != nil {
			return err
		}
	}
	l, err := newLane(p.leg, keys, &p.engine.plane.count, func() { p.closeSoon("too many streams") })
	if err != nil {
		return err
	}
	p.lane.Store(l)
	l.move(p.where)
	if p.end != nil {
		p.end.media.Store(&post{lane: l})
	}

	return nil
}

// place is where a pair of candidates leads; p.mu is held.
func (p *Peer) place(pair *webrtc.ICECandidatePair) (*destination, error) {
	local, err := addressOf(pair.Local)
	if err != nil {
		return nil, err
	}
	remote, err := addressOf(pair.Remote)
	if err != nil {
		return nil, err
	}

	return p.engine.plane.destination(local, remote, p.end)
}

func addressOf(c *webrtc.ICECandidate) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(c.Address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("read a candidate: %w", err)
	}

	return netip.AddrPortFrom(a, c.Port), nil
}

// selected is told by ICE that the client is somewhere else from now on.
func (p *Peer) selected(pair *webrtc.ICECandidatePair) {
	if pair == nil || !p.engine.fast {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if served := p.served.Load(); served != nil && *served != planeFast {
		return
	}
	to, err := p.place(pair)
	if err != nil && p.served.Load() == nil {
		return // serve will say so
	}
	if err != nil {
		p.engine.log.Warn("a client has moved to where media cannot follow", "error", err)

		return
	}
	p.where = to
	if l := p.lane.Load(); l != nil {
		l.move(to)
	}
}

var _ sender = (*Peer)(nil)

// sendRTP implements sender.
func (p *Peer) sendRTP(via *burst, k kind, b []byte) error {
	if l := p.lane.Load(); l != nil {
		return l.sendRTP(via, k, b)
	}
	t := p.tracks[k]

	return t.write(&t.media, b)
}

// sendRepair implements sender.
func (p *Peer) sendRepair(via *burst, b []byte, index int64) error {
	if l := p.lane.Load(); l != nil {
		return l.sendRepair(via, b, index)
	}
	t := p.tracks[video]

	return t.write(&t.repair, b)
}

// sendRTCP implements sender.
func (p *Peer) sendRTCP(via *burst, b []byte) error {
	if l := p.lane.Load(); l != nil {
		return l.sendRTCP(via, b)
	}
	raw := rtcp.RawPacket(b)

	return p.pc.WriteRTCP([]rtcp.Packet{&raw})
}

// closeLane ends what serve began.
func (p *Peer) closeLane() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.lane.Load(); l != nil {
		l.close()
	}
	p.capture.wipeAll()
	if served := p.served.Load(); served != nil {
		p.engine.plane.exit(*served)
	}
}
