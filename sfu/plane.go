package sfu

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"
)

// Values of [Config.MediaPlane] and [PeerStats.Plane].
const (
	planeAuto = "auto"
	planeFast = "fast"
	planePion = "pion"
)

// plane is what the sockets' workers of the fast plane share.
type plane struct {
	now func() time.Duration
	hub *hubCounters
	log *slog.Logger
	// fastOnly says that no peer is meant for Pion.
	fastOnly bool
	groups   []*group
	count    planeCounters
	// served counts the connected peers of either plane.
	fast, pion atomic.Int64
}

// choosePlane checks MediaPlane, and whether the fast plane works here.
func (e *Engine) choosePlane() error {
	switch e.config.MediaPlane {
	case planePion:
		return nil
	case "", planeAuto, planeFast:
	default:
		return fmt.Errorf("there is no media plane %q: it is %q, %q or %q",
			e.config.MediaPlane, planeAuto, planeFast, planePion)
	}
	if err := checkCapture(); err != nil {
		if e.config.MediaPlane == planeFast {
			return fmt.Errorf("use the fast media plane: %w", err)
		}
		e.log.Warn("the fast media plane does not work here; media takes the slow one", "error", err)

		return nil
	}
	e.fast = true

	return nil
}

// groupAt returns the sockets behind one of our candidates.
func (p *plane) groupAt(local netip.AddrPort) *group {
	var found *group
	for _, g := range p.groups {
		sameFamily := g.six == local.Addr().Is6()
		switch {
		case g.local == local:
			return g
		case !g.local.Addr().IsUnspecified() || g.local.Port() != local.Port():
		case sameFamily || g.six && found == nil: // one of IPv6 may take IPv4 too
			found = g
		}
	}

	return found
}

// destination is where a client is that ICE has found at remote, through our
// candidate at local; end is the endpoint of its streams.
func (p *plane) destination(local, remote netip.AddrPort, end *endpoint) (*destination, error) {
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	if isVirtual(remote.Addr()) {
		return &destination{addr: remote, end: end}, nil
	}
	g := p.groupAt(netip.AddrPortFrom(local.Addr().Unmap(), local.Port()))
	if g == nil {
		return nil, fmt.Errorf("none of our sockets is at %v: %w", local, errors.ErrUnsupported)
	}

	return &destination{addr: remote, raw: newRawAddress(remote, g.six), group: g}, nil
}

// isOnly reports whether nobody's media goes by way of Pion now.
func (p *plane) isOnly() bool { return p.fastOnly && p.pion.Load() == 0 }

// enter counts a peer that a plane serves from now on.
func (p *plane) enter(by string) {
	if by == planeFast {
		p.fast.Add(1)
		p.count.servedFast.Add(1)
	} else {
		p.pion.Add(1)
		p.count.servedPion.Add(1)
	}
}

// exit says that enter's peer has ended.
func (p *plane) exit(by string) {
	if by == planeFast {
		p.fast.Add(-1)
	} else {
		p.pion.Add(-1)
	}
}

func (p *plane) snapshot() PlaneStats {
	s := p.count.snapshot()
	s.Fast, s.Pion = int(p.fast.Load()), int(p.pion.Load())

	return s
}
