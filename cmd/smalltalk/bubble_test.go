package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v4/vnet"

	"smalltalk/sfu"
)

// lab is a whole server and its network in virtual time: real ICE, DTLS and
// SRTP over a network in memory, real HTTP and WebSockets over pipes, a real
// database. It runs inside a synctest bubble, which also fails a test that
// leaves a goroutine behind.
type lab struct {
	t      *testing.T
	router *vnet.Router
	srv    *server
	pipes  *pipeListener
	http   *http.Client
	stop   context.CancelFunc
	ended  chan error

	loss  atomic.Uint32 // percent of media packets that the network drops, each way
	rng   *rand.Rand    // used by the router's goroutine only
	hosts int

	mu   sync.Mutex // guards dead
	dead map[string]bool
}

const labServer = "10.0.0.1"

// newLab starts the server. delay is the network's, one way.
func newLab(t *testing.T, delay time.Duration, flags ...string) *lab {
	t.Helper()
	l := &lab{t: t, rng: rand.New(rand.NewPCG(1, 2)), dead: map[string]bool{}, ended: make(chan error, 1)}
	var err error
	l.router, err = vnet.NewRouter(&vnet.RouterConfig{CIDR: "10.0.0.0/24", MinDelay: delay, QueueSize: 1 << 16, LoggerFactory: quietLogs{}})
	if err != nil {
		t.Fatal(err)
	}
	l.router.AddChunkFilter(l.passes)
	serverNet := l.addHost(labServer)
	if err := l.router.Start(); err != nil {
		t.Fatal(err)
	}
	media, err := serverNet.ListenPacket("udp4", labServer+":8080")
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := parse(append([]string{"--data", t.TempDir(), "--grace", "10s"}, flags...), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l.srv, err = newServer(cmd.serve, sfu.Config{UDP: []net.PacketConn{media}, Net: serverNet}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.pipes = newPipeListener()
	l.http = &http.Client{Transport: &http.Transport{DialContext: l.pipes.dial}}
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go func() { l.ended <- l.srv.run(ctx, []net.Listener{l.pipes}) }()
	return l
}

// shutdown stops the server in order and then the network.
func (l *lab) shutdown() {
	l.t.Helper()
	l.stop()
	begin := time.Now()
	if err := <-l.ended; err != nil {
		l.t.Errorf("the server stopped with %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		l.t.Errorf("stopping took %v", took)
	}
}

// end takes the network down, after the clients are closed.
func (l *lab) end() {
	l.http.CloseIdleConnections()
	if err := l.router.Stop(); err != nil {
		l.t.Error(err)
	}
}

func (l *lab) addHost(ip string) *vnet.Net {
	l.t.Helper()
	n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.router.AddNet(n); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// newHost gives the next client an address.
func (l *lab) newHost() (*vnet.Net, string) {
	l.hosts++
	ip := fmt.Sprintf("10.0.0.%d", 10+l.hosts)
	return l.addHost(ip), ip
}

// passes decides over each packet of the network.
func (l *lab) passes(c vnet.Chunk) bool {
	from, _, _ := net.SplitHostPort(c.SourceAddr().String())
	to, _, _ := net.SplitHostPort(c.DestinationAddr().String())
	l.mu.Lock()
	gone := l.dead[from] || l.dead[to]
	l.mu.Unlock()
	if gone {
		return false
	}
	data := c.UserData()
	isMedia := len(data) > 0 && data[0] >= 128 && data[0] <= 191 // RFC 7983
	return !isMedia || l.rng.Uint32N(100) >= l.loss.Load()
}

// kill makes a host vanish without a word.
func (l *lab) kill(ip string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead[ip] = true
}

// pipeListener is a net.Listener without a network: net/http serves the other
// ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipeListener) Addr() net.Addr { return pipeAddr{} }

func (p *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "127.0.0.1:1" }
