package sfu

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/turn/v5"
)

const (
	turnRealm = "smalltalk"
	// maxTURNFrame is a datagram with what TURN puts around it.
	maxTURNFrame = maxDatagram + 100
	// maxRelays is how many allocations a session may have: one for each of two
	// networks and two families, and again while it restarts ICE.
	maxRelays = 8
	// maxTURNSource is how many connections one address may have: an office
	// behind one address fits in, a flood does not.
	maxTURNSource = 256
	// maxTURNConns is how many there may be in all without an allocation; see
	// lobby for who goes then.
	maxTURNConns = 1024
)

var (
	errNoSession = errors.New("no such session")
	errTooMany   = errors.New("the session has too many allocations")
	errOnlyUDP   = errors.New("only UDP is relayed")
)

// turnServer relays for clients that get through by TLS only (RFC 8656). It
// relays in this process: an allocation has no socket, and leads to our own
// media addresses and nowhere else.
type turnServer struct {
	hub         *hub
	server      *turn.Server
	credentials credentials
	count       turnCounters
	done        chan struct{}
	running     sync.WaitGroup // connections

	mu       sync.Mutex // guards the rest
	closed   bool
	sessions map[string]*turnSession // by what a user name tells of it
	byName   map[string]*turnSession // by what Engine.TURNCredentials was given
	swept    time.Time
	conns    map[string]*turnConn // by the client's address
	lobby    *lobby               // of them; those with an allocation have settled
}

// turnSession is what one session may use; guarded by turnServer.mu.
type turnSession struct {
	id, name string
	expires  time.Time
	relays   map[*relay]struct{}
}

func newTURNServer(h *hub, listener net.Listener, log *slog.Logger) (*turnServer, error) {
	t := &turnServer{
		hub: h, done: make(chan struct{}), credentials: newCredentials(),
		sessions: map[string]*turnSession{}, byName: map[string]*turnSession{},
		conns: map[string]*turnConn{}, lobby: newLobby(maxTURNConns, maxTURNSource),
	}
	var err error
	t.server, err = turn.NewServer(turn.ServerConfig{
		Realm: turnRealm, LoggerFactory: pionLogs{log}, InboundMTU: 2 << 10,
		AuthHandler: t.authenticate, QuotaHandler: t.mayAllocate,
		EventHandler: turn.EventHandler{
			// It is told of wrong passwords, and not of what authenticate has
			// refused and counted.
			OnAuth: func(_, _ net.Addr, _, _, _, _ string, ok bool) {
				if !ok {
					t.count.refusedCredentials.Add(1)
				}
			},
			OnAllocationCreated: func(client, _ net.Addr, _, _, _ string, _ net.Addr, _ int) {
				t.allocated(client, true)
			},
			OnAllocationDeleted: func(client, _ net.Addr, _, _, _ string) { t.allocated(client, false) },
		},
		ListenerConfigs: []turn.ListenerConfig{{
			Listener:              &turnListener{Listener: listener, server: t},
			RelayAddressGenerator: relays{t}, PermissionHandler: t.permit,
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("start TURN: %w", err)
	}

	return t, nil
}

// close ends all connections and waits for them.
func (t *turnServer) close() error {
	t.mu.Lock()
	if !t.closed {
		close(t.done)
	}
	t.closed = true
	open := make([]net.Conn, 0, len(t.conns))
	for _, c := range t.conns {
		open = append(open, c.Conn)
	}
	t.mu.Unlock()
	for _, conn := range open {
		sever(conn)
	}
	err := t.server.Close()
	t.running.Wait()

	return err
}

// mayAllocate is the server's question before each allocation.
func (t *turnServer) mayAllocate(id, _ string, _ net.Addr) bool {
	t.mu.Lock()
	s := t.sessions[id]
	ok := s != nil && len(s.relays) < maxRelays
	t.mu.Unlock()
	if !ok {
		t.count.refusedAllocations.Add(1)
	}

	return ok
}

// permit is the server's question before each permission and channel: only our
// own hosts. Which of their ports, the relay sees to.
func (t *turnServer) permit(client net.Addr, peer net.IP) bool {
	a, ok := netip.AddrFromSlice(peer)
	ok = ok && t.hub.isMediaHost(a.Unmap()) && t.spend(client)
	if !ok {
		t.count.refusedPermissions.Add(1)
	}

	return ok
}

// relays makes the sockets of allocations, which are none.
type relays struct{ server *turnServer }

var _ turn.RelayAddressGenerator = relays{}

// Validate implements turn.RelayAddressGenerator.
func (relays) Validate() error { return nil }

// AllocatePacketConn implements turn.RelayAddressGenerator. It is also asked
// by nobody, for a port that is even, and refuses that.
func (g relays) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	f := ipv4
	if c.Network == "udp6" {
		f = ipv6
	}
	r, err := g.server.newRelay(c.UserID, f)
	if err != nil {
		g.server.count.refusedAllocations.Add(1)

		return nil, nil, err
	}

	return r, r.LocalAddr(), nil
}

// AllocateListener implements turn.RelayAddressGenerator.
func (relays) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errOnlyUDP
}

// AllocateConn implements turn.RelayAddressGenerator.
func (relays) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errOnlyUDP }

// newRelay adds an allocation to a session.
func (t *turnServer) newRelay(id string, f family) (*relay, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[id]
	switch {
	case s == nil || t.closed:
		return nil, errNoSession
	case len(s.relays) >= maxRelays:
		return nil, errTooMany
	}
	r := &relay{
		server: t, session: s, family: f, base: t.hub.numbers.allocation(f),
		out: newSendQueue(&t.count.queue), done: make(chan struct{}), ports: map[netip.AddrPort]*relayPort{},
	}
	s.relays[r] = struct{}{}
	t.count.allocations.Add(1)

	return r, nil
}

func (t *turnServer) forget(r *relay) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(r.session.relays, r)
}

func (t *turnServer) stats() TURNStats {
	s := TURNStats{
		Allocated: t.count.allocations.Load(), Dropped: t.count.queue.dropped.Load(),
		Evicted:            t.count.evicted.Load(),
		RefusedConnections: t.count.refusedConnections.Load(), RefusedCredentials: t.count.refusedCredentials.Load(),
		RefusedAllocations: t.count.refusedAllocations.Load(), RefusedPermissions: t.count.refusedPermissions.Load(),
		RefusedSends: t.count.refusedSends.Load(),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Connections = len(t.conns)
	for _, session := range t.sessions {
		s.Allocations += len(session.relays)
	}

	return s
}
