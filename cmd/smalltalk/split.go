package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
)

// Defaults of splitConfig.
const (
	decideTime     = 10 * time.Second
	maxHalfOpen    = 2048
	maxPerSource   = 256
	acceptBackoff  = 5 * time.Millisecond
	acceptMaxDelay = time.Second
)

// alpnTURN is what a TURN client that names its protocol asks for (RFC 7443).
// Browsers name none.
const alpnTURN = "stun.turn"

// splitConfig is what a splitter needs. Connections of a protocol whose sink is
// nil are closed.
type splitConfig struct {
	// TLS is how to encrypt; nil means that HTTP comes in the clear.
	TLS *tls.Config
	// HTTP gets *tls.Conn where the client named its protocol (ALPN), else a
	// connection that replays what was read of it.
	HTTP *sink
	// ICE gets RFC 4571-framed ICE-TCP, TURN what was inside TLS.
	ICE, TURN *sink
	// Host is where a request in the clear is sent that asked for the host named
	// in the argument, both as HOST or HOST:PORT; nil means where it came.
	Host func(string) string
	// Deadline is for all of a connection's way to a sink; 0 means 10 s.
	Deadline time.Duration
	// MaxHalfOpen bounds the undecided connections, MaxPerSource those of one
	// address (an IPv6 address counts as its /64); 0 means 2048 and 256. The
	// oldest has to go for the newest.
	MaxHalfOpen, MaxPerSource int
	// Logger hears when connections cannot be accepted; nil means silence.
	Logger *slog.Logger
}

// splitter tells the protocols that share a TCP port apart by their first bytes
// and gives each its own net.Listener:
//
//	first byte      inside TLS           what it is
//	0x00..0x03                           ICE-TCP: the high byte of an RFC 4571 length
//	0x16            ALPN                 HTTP (or a CA's challenge, answered by the handshake itself)
//	0x16            no ALPN, below 0x40  TURN: the two zero bits of STUN
//	0x16            no ALPN, else        HTTP/1.1
//	'A'..'Z'                             HTTP: redirected when there is TLS, else served
//	any other                            closed
//
// All methods may be called from anywhere at any time.
type splitter struct {
	config  splitConfig
	log     *slog.Logger
	waiting *halfOpen
	done    chan struct{}  // closed by close
	running sync.WaitGroup // accept loops and undecided connections
	count   [fates]atomic.Uint64
	errors  atomic.Uint64 // of Accept

	mu        sync.Mutex // guards what follows and adding to running from outside
	closed    bool
	listeners []net.Listener
}

func newSplitter(c splitConfig) *splitter {
	c.Deadline = cmp.Or(c.Deadline, decideTime)
	c.MaxHalfOpen = cmp.Or(c.MaxHalfOpen, maxHalfOpen)
	c.MaxPerSource = cmp.Or(c.MaxPerSource, maxPerSource)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &splitter{
		config: c, log: c.Logger, done: make(chan struct{}),
		waiting: newHalfOpen(c.MaxHalfOpen, c.MaxPerSource),
	}
}

// serve takes connections from l, which it owns, until close. It may be called
// for several listeners.
func (s *splitter) serve(l net.Listener) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = l.Close()
		return
	}
	s.listeners = append(s.listeners, l)
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	s.accept(l)
}

// accept survives every error but the listener's end: without descriptors or
// memory for a while, a server that waits is better than one that is gone.
func (s *splitter) accept(l net.Listener) {
	delay, refused := time.Duration(0), 0
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			if refused > 0 {
				s.log.Info("connections are accepted again", "address", l.Addr(), "errors", refused)
			}
			delay, refused = 0, 0
			s.running.Go(func() { s.decide(conn) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			s.errors.Add(1)
			if refused++; refused == 1 {
				s.log.Error("connections cannot be accepted, trying again", "address", l.Addr(), "error", err)
			}
			delay = min(max(2*delay, acceptBackoff), acceptMaxDelay)
			select {
			case <-time.After(delay):
			case <-s.done:
				return
			}
		}
	}
}

// close closes the listeners and every undecided connection, and waits until all
// that the splitter started has ended. The sinks stay the concern of those who
// read from them. Calling it again is harmless.
func (s *splitter) close() {
	s.mu.Lock()
	listeners := s.listeners
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	s.listeners = nil
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	s.waiting.close()
	s.running.Wait()
}

// fate is what has become of a connection.
type fate int

const (
	toHTTP     fate = iota
	toICE           // framed ICE-TCP
	toTURN          // TURN over TLS
	redirected      // HTTP where TLS was expected
	challenged      // a CA asked for its challenge certificate
	garbage         // no protocol of ours
	tlsFailed       // the handshake did not succeed
	gone            // ended by the client before it said anything
	timedOut        // undecided at the deadline
	evicted         // had to go for a newer one, or because the splitter closed
	refused         // nobody takes this protocol here (now)
	fates
)

// decide takes one connection from its first byte to a sink or to its end.
func (s *splitter) decide(raw net.Conn) {
	u := s.waiting.add(raw)
	if u == nil {
		s.count[evicted].Add(1)
		_ = raw.Close()
		return
	}
	conn, f := raw, gone
	if raw.SetDeadline(time.Now().Add(s.config.Deadline)) == nil {
		conn, f = s.examine(raw)
	}
	// Whether it is still ours has to be settled before somebody else gets it.
	if !s.waiting.remove(u) {
		s.count[evicted].Add(1)
		return
	}
	if to := s.sink(f); to == nil || raw.SetDeadline(time.Time{}) != nil || !to.deliver(conn, s.done) {
		if f <= toTURN {
			f = refused
		}
		_ = raw.Close()
	}
	s.count[f].Add(1)
}

// sink is where connections of a fate go; nil means nowhere.
func (s *splitter) sink(f fate) *sink {
	switch f {
	case toHTTP:
		return s.config.HTTP
	case toICE:
		return s.config.ICE
	case toTURN:
		return s.config.TURN
	}
	return nil
}

// examine finds out what a connection is. The connection that it returns yields
// all that the client has sent, decrypted.
func (s *splitter) examine(raw net.Conn) (net.Conn, fate) {
	conn, first, err := peek(raw)
	if err != nil {
		return raw, failed(err, gone)
	}
	encrypted := s.config.TLS != nil
	switch {
	case first < 0x04:
		return conn, toICE
	case first == 0x16 && encrypted:
		return s.examineTLS(conn)
	case first < 'A' || first > 'Z':
		return conn, garbage
	case !encrypted:
		return conn, toHTTP
	case s.config.HTTP == nil:
		return conn, refused
	}
	s.redirect(conn)
	return conn, redirected
}

func (s *splitter) examineTLS(raw net.Conn) (net.Conn, fate) {
	// The deadline ends it; a context that can end would cost a goroutine.
	conn := tls.Server(raw, s.config.TLS)
	if err := conn.HandshakeContext(context.Background()); err != nil {
		return raw, failed(err, tlsFailed)
	}
	switch conn.ConnectionState().NegotiatedProtocol {
	case "":
	case acme.ALPNProto:
		_ = conn.Close()
		return conn, challenged
	case alpnTURN:
		return conn, toTURN
	default:
		return conn, toHTTP
	}
	plain, first, err := peek(conn)
	switch {
	case err != nil:
		return raw, failed(err, gone)
	case first < 0x40:
		return plain, toTURN
	default:
		return plain, toHTTP
	}
}

// failed is timedOut if err says so, and otherwise the other fate.
func failed(err error, other fate) fate {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return timedOut
	}
	return other
}

// splitStats counts connections since the start by what has become of them.
type splitStats struct {
	HTTP, ICE, TURN        uint64 // delivered
	Redirected, Challenged uint64
	Garbage, TLSFailed     uint64
	Gone, TimedOut         uint64
	Evicted, Refused       uint64
	AcceptErrors           uint64
	HalfOpen               int // now undecided
}

func (s *splitter) stats() splitStats {
	n := func(f fate) uint64 { return s.count[f].Load() }
	return splitStats{
		HTTP: n(toHTTP), ICE: n(toICE), TURN: n(toTURN),
		Redirected: n(redirected), Challenged: n(challenged),
		Garbage: n(garbage), TLSFailed: n(tlsFailed),
		Gone: n(gone), TimedOut: n(timedOut),
		Evicted: n(evicted), Refused: n(refused),
		AcceptErrors: s.errors.Load(), HalfOpen: s.waiting.len(),
	}
}
