package sfu

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// maxMediaAddresses bounds how many of our addresses are remembered.
const maxMediaAddresses = 64

// hub makes a datagram a datagram: clients that come by TCP or TURN appear to
// ICE as datagrams with virtual addresses.
//
// It stands beside the UDP sockets and not before them, as one more ice.UDPMux:
// each agent gets from it one inbox for each family, as it gets one connection
// from each socket's mux. So UDP pays nothing for it; a datagram for a virtual
// address cannot get onto a real socket, because there is none here; and a
// stream is bound to the one agent whose password its client has shown to
// know, so that no address is ever looked up on behalf of a stranger.
//
// All its methods may be called by anybody at any time.
type hub struct {
	now      func() time.Duration
	families []family
	numbers  numbering
	count    hubCounters
	// media are the addresses that clients were told to send to.
	media atomic.Pointer[[]netip.AddrPort]

	mu        sync.Mutex // guards the rest
	closed    bool
	endpoints map[string]*endpoint // by our ufrag
}

var _ ice.UDPMux = (*hub)(nil)

func newHub(now func() time.Duration) *hub {
	h := &hub{now: now, endpoints: map[string]*endpoint{}}
	h.media.Store(&[]netip.AddrPort{})

	return h
}

// GetListenAddresses implements ice.UDPMux. Pion makes host candidates of
// them, which are not put into the answer.
func (h *hub) GetListenAddresses() (addresses []net.Addr) {
	for _, f := range h.families {
		addresses = append(addresses, net.UDPAddrFromAddrPort(ownAddress(f)))
	}

	return addresses
}

// GetConn implements ice.UDPMux.
func (h *hub) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, &net.AddrError{Err: "not a UDP address", Addr: addr.String()}
	}
	f := familyOf(u.AddrPort().Addr())
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, io.ErrClosedPipe
	}
	e := h.endpoints[ufrag]
	if e == nil {
		e = &endpoint{hub: h, ufrag: ufrag, links: map[netip.AddrPort]link{}}
		h.endpoints[ufrag] = e
	}
	if e.inboxes[f] == nil {
		e.inboxes[f] = newInbox(e, f)
	}

	return e.inboxes[f], nil
}

// RemoveConnByUfrag implements ice.UDPMux. The agent calls it for the
// credentials that it gives up, before it closes the inboxes.
func (h *hub) RemoveConnByUfrag(ufrag string) {
	h.mu.Lock()
	e := h.endpoints[ufrag]
	h.mu.Unlock()
	if e != nil {
		h.remove(e, false)
	}
}

// remove ends an endpoint, see endpoint.close.
func (h *hub) remove(e *endpoint, forGood bool) {
	h.mu.Lock()
	if h.endpoints[e.ufrag] == e {
		delete(h.endpoints, e.ufrag)
	}
	h.mu.Unlock()
	e.close(forGood)
}

// Close implements io.Closer.
func (h *hub) Close() error {
	h.mu.Lock()
	h.closed = true
	endpoints := h.endpoints
	h.endpoints = nil
	h.mu.Unlock()
	for _, e := range endpoints {
		e.close(true)
	}

	return nil
}

// arm lets clients in that know the password of ufrag. It returns the
// endpoint, nil if there is none.
func (h *hub) arm(ufrag, password string, client *leg) *endpoint {
	h.mu.Lock()
	e := h.endpoints[ufrag]
	h.mu.Unlock()
	if e != nil {
		e.arm(password, client)
	}

	return e
}

// isCheck reports whether b looks like a connectivity check, a STUN binding
// request (RFC 8489 section 5).
func isCheck(b []byte) bool {
	return len(b) >= 20 && b[0] == 0 && b[1] == 1 && stun.IsMessage(b)
}

// prove returns the endpoint that a connectivity check is for, if it was made
// by somebody who knows the endpoint's password (RFC 8445 section 7.3).
func (h *hub) prove(b []byte) (*endpoint, bool) {
	m := &stun.Message{Raw: b[:len(b):len(b)]} // the check of integrity appends
	if err := m.Decode(); err != nil {
		h.count.unproven.Add(1)

		return nil, false
	}
	e := h.lookup(addressee(m))
	if e == nil || stun.NewShortTermIntegrity(e.secret()).Check(m) != nil {
		h.count.unproven.Add(1)

		return nil, false
	}

	return e, true
}

// lookup returns the endpoint of our ufrag if it is armed.
func (h *hub) lookup(ufrag string) *endpoint {
	h.mu.Lock()
	e := h.endpoints[ufrag]
	h.mu.Unlock()
	if e == nil || e.secret() == "" {
		return nil
	}

	return e
}

// addressee is our ufrag in a connectivity check's user name, before the colon.
func addressee(m *stun.Message) string {
	name, err := m.Get(stun.AttrUsername)
	if err != nil {
		return ""
	}
	ours, _, _ := strings.Cut(string(name), ":")

	return ours
}

// inbox returns where an endpoint's agent reads what comes from a family.
func (h *hub) inbox(e *endpoint, f family) *inbox {
	h.mu.Lock()
	defer h.mu.Unlock()

	return e.inboxes[f]
}

// allow remembers addresses that clients were told to send to, for TURN.
func (h *hub) allow(addresses []netip.AddrPort) {
	for {
		old := h.media.Load()
		merged := slices.Clone(*old)
		for _, a := range addresses {
			if !slices.Contains(merged, a) {
				merged = append(merged, a)
			}
		}
		if len(merged) == len(*old) {
			return
		}
		if len(merged) > maxMediaAddresses {
			merged = slices.Clone(addresses)
		}
		if h.media.CompareAndSwap(old, &merged) {
			return
		}
	}
}

func (h *hub) isMedia(a netip.AddrPort) bool {
	return slices.Contains(*h.media.Load(), a)
}

func (h *hub) isMediaHost(a netip.Addr) bool {
	return slices.ContainsFunc(*h.media.Load(), func(m netip.AddrPort) bool { return m.Addr() == a })
}
