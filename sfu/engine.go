package sfu

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
)

const (
	defaultMaxBitrate = 2_500_000
	// ntpEpoch is 1 January 1970 in NTP's seconds since 1900.
	ntpEpoch = 2_208_988_800 * time.Second
	// renewBefore is how long before its end a certificate is replaced; Pion's
	// last a month. A peer keeps the one that it was made with.
	renewBefore = 7 * 24 * time.Hour
)

// Config is what an Engine needs. Only UDP has no default.
type Config struct {
	// UDP are the sockets that media flows through, one at least. The Engine
	// owns them and closes them; give them large kernel buffers. Sockets of one
	// address (SO_REUSEPORT) share its clients, each with a worker of its own.
	UDP []net.PacketConn
	// Addresses are offered to clients where a socket is bound to the
	// unspecified address; empty means those of the interfaces.
	Addresses []netip.Addr
	// MediaPlane says how media is forwarded: "fast", without Pion, "pion", by
	// way of it, or "auto" and "", the first if it works here. Connections whose
	// keys the fast one cannot have go by the other one each.
	MediaPlane string
	// MaxBitrate is the most that a client may send, in bit/s; 0 means 2.5 Mb/s.
	// One that protects its picture with parity may send 30 % more.
	MaxBitrate int
	// IncludeLoopback also offers loopback addresses of the interfaces.
	IncludeLoopback bool
	// TCP, if not nil, yields the connections of clients that UDP does not reach,
	// ICE-TCP (RFC 6544), unread. A wrapper that has NetConn, as *tls.Conn, must
	// wrap the same bytes. The Engine owns it and closes it.
	TCP net.Listener
	// TCPAddresses are those of our own on which TCP takes connections; empty
	// means all on which UDP does.
	TCPAddresses []netip.Addr
	// TCPPort is offered for TCP; 0 means that of the listener.
	TCPPort uint16
	// TURN, if not nil, yields the connections of clients that only TLS lets
	// through, decrypted, with TURN in them. The Engine owns it and closes it.
	TURN net.Listener
	// PublicAddresses are offered instead of our own of the same family, for a
	// host behind 1:1 NAT; the ports stay the same.
	PublicAddresses []netip.Addr
	// Net replaces the operating system's network, for tests; nil means the real one.
	Net transport.Net
	// Logger gets what happens to connections, nothing per packet; nil means silence.
	Logger *slog.Logger
}

// Engine relays media between the two peers that joined the same room. All its
// methods may be called from anywhere at any time.
type Engine struct {
	config      Config
	log         *slog.Logger
	mux         ice.UDPMux
	certificate webrtc.Certificate // of new peers; guarded by mu, see identity
	epoch       time.Time
	rooms       *rooms
	plane       *plane
	fast        bool // new peers are meant for the fast plane
	hub         *hub
	tcp         *tcpServer  // nil if there is none
	turn        *turnServer // nil if there is none

	mu      sync.Mutex // guards closed, peers and adding to running
	closed  bool
	peers   map[*Peer]struct{}
	running sync.WaitGroup // closings in the background
}

// New starts an Engine on the sockets of c. If it fails the sockets are closed.
func New(c Config) (*Engine, error) {
	if len(c.UDP) == 0 {
		return nil, errors.New("sfu: no UDP socket given")
	}
	if c.MaxBitrate <= 0 {
		c.MaxBitrate = defaultMaxBitrate
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		config: c, log: c.Logger, epoch: time.Now(),
		rooms: newRooms(), peers: map[*Peer]struct{}{},
	}
	if err := e.start(); err != nil {
		return nil, fmt.Errorf("sfu: %w", errors.Join(err, c.close()))
	}

	return e, nil
}

func (e *Engine) start() error {
	if _, err := e.identity(); err != nil {
		return err
	}
	if err := e.choosePlane(); err != nil {
		return err
	}
	e.log.Info("media plane", "fast", e.fast, "sockets", len(e.config.UDP))
	var err error
	e.hub = newHub(e.now)
	e.plane = &plane{now: e.now, hub: &e.hub.count, log: e.log, fastOnly: e.fast}
	if e.mux, err = newMux(e); err != nil {
		return err
	}
	if e.config.TURN != nil {
		if e.turn, err = newTURNServer(e.hub, e.config.TURN, e.log); err != nil {
			return errors.Join(err, e.mux.Close())
		}
	}
	if e.config.TCP != nil {
		e.tcp = newTCPServer(e.hub, e.config.TCP)
	}

	return nil
}

// close closes everything in c that an Engine would own.
func (c *Config) close() (err error) {
	for _, conn := range c.UDP {
		err = errors.Join(err, conn.Close())
	}
	for _, l := range []net.Listener{c.TCP, c.TURN} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}

	return err
}

// identity returns the certificate for a new peer: the last one, while it is good.
func (e *Engine) identity() (webrtc.Certificate, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Until(e.certificate.Expires()) > renewBefore { // there is none yet: long ago
		return e.certificate, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make a key: %w", err)
	}
	made, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	e.certificate = *made

	return e.certificate, nil
}

// now is the time since the Engine started; it never jumps.
func (e *Engine) now() time.Duration { return time.Since(e.epoch) }

// wall is the NTP time at which now was 0.
func (e *Engine) wall() time.Duration { return ntpEpoch + time.Duration(e.epoch.UnixNano()) }

// NewPeer makes a Peer that waits for its first offer. It returns ErrClosed,
// wrapped in an *Error, after Close.
func (e *Engine) NewPeer() (*Peer, error) {
	p, err := newPeer(e)
	if err != nil {
		return nil, internal("make a peer connection", err)
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		_ = p.pc.GracefulClose() // never started: nothing to report

		return nil, internal("make a peer connection", ErrClosed)
	}
	e.peers[p] = struct{}{}
	e.mu.Unlock()

	return p, nil
}

// background runs f, and Close waits for it; after Close it does not run.
func (e *Engine) background(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Go(f)
	}
}

func (e *Engine) forget(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.peers, p)
}

// Stats sums up the open peers.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	peers := make([]*Peer, 0, len(e.peers))
	for p := range e.peers {
		peers = append(peers, p)
	}
	e.mu.Unlock()
	s := Stats{Peers: len(peers)}
	s.Rooms, s.Pairs = e.rooms.counts()
	for _, p := range peers {
		s.Traffic.add(p.leg.count.snapshot())
	}
	s.Hub = e.hub.count.snapshot()
	s.Plane = e.plane.snapshot()
	if e.tcp != nil {
		s.TCP = e.tcp.stats()
	}
	if e.turn != nil {
		s.TURN = e.turn.stats()
	}

	return s
}

// Close closes all peers and the sockets, and waits until everything that the
// Engine started has ended. Calling it again is harmless.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	peers := make([]*Peer, 0, len(e.peers))
	for p := range e.peers {
		peers = append(peers, p)
	}
	e.mu.Unlock()
	var closing sync.WaitGroup
	for _, p := range peers {
		closing.Go(func() {
			if err := p.Close(); err != nil {
				e.log.Debug("close peer", "error", err)
			}
		})
	}
	closing.Wait()
	e.running.Wait()
	var errs []error
	if e.tcp != nil {
		errs = append(errs, e.tcp.close())
	}
	if e.turn != nil {
		errs = append(errs, e.turn.close())
	}
	errs = slices.DeleteFunc(append(errs, e.mux.Close()), func(err error) bool { return errors.Is(err, net.ErrClosed) })
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sfu: close sockets: %w", err)
	}

	return nil
}

// random is 64 bits for what must not be guessed or repeated; crypto/rand.Read
// never fails.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])

	return binary.BigEndian.Uint64(b[:])
}
