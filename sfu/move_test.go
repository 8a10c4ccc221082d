package sfu

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/pion/webrtc/v4"
)

// TestMoveBetweenPaths: with an ICE restart a call goes from one way in to
// another, and back, and goes on.
func TestMoveBetweenPaths(t *testing.T) {
	e := newStreamEngine(t, nil)
	config := by(e, pathTCP, "a")
	config.answer = func(sdp string) string { return onlyCandidates(sdp, " udp ") }
	a, b := newClient(t, e, config), newClient(t, e, by(e, pathTLS, "b"))
	join(t, "room", a, b)
	stop := startTalking(a, b)
	for i, path := range []string{pathUDP, pathTCP, pathTCP, pathUDP} {
		if i > 0 {
			transport := map[string]string{pathUDP: " udp ", pathTCP: " tcp "}[path]
			a.change = func(sdp string) string { return onlyCandidates(sdp, transport) }
			a.negotiate(nil, &webrtc.OfferOptions{ICERestart: true})
		}
		waitFor(t, "the path is "+path, func() bool { return a.peer.Stats().Path == path })
		a.waitFrom(video, 'B', len(a.packets(video))+60)
		b.waitFrom(video, 'A', len(b.packets(video))+60)
		waitFor(t, "connections of the last generation are gone", func() bool {
			return path != pathUDP || e.Stats().TCP.Open == 0
		})
	}
	// The one over TURN restarts too, with an allocation that it has or a new one.
	b.negotiate(nil, &webrtc.OfferOptions{ICERestart: true})
	b.waitFrom(video, 'A', len(b.packets(video))+60)
	a.waitFrom(video, 'B', len(a.packets(video))+60)
	stop()
	a.close()
	b.close()
}

// TestStalledClient: one TCP client stops reading. Its partner's and others'
// calls go on, what waits for it is bounded, and when it reads again it gets a
// key frame without having to ask.
func TestStalledClient(t *testing.T) {
	e := newStreamEngine(t, nil)
	gate := newFlowGate(t, e.config.TCP.Addr().String())
	e.config.TCPPort = uint16(gate.listener.Addr().(*net.TCPAddr).Port)
	a, b := newClient(t, e, by(e, pathTCP, "a")), newClient(t, e, by(e, pathUDP, "b"))
	join(t, "room", a, b)
	stalled := gate.all()
	c, d := newClient(t, e, by(e, pathTCP, "c")), newClient(t, e, by(e, pathUDP, "d"))
	join(t, "other", c, d)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var talking sync.WaitGroup
	for i, cl := range []*client{a, b, c, d} {
		talking.Go(func() { cl.talk(ctx, 'A'+byte(i), 8) })
	}
	a.waitFrom(video, 'B', 60)
	for _, conn := range stalled {
		conn.mu.Lock()
	}
	release := sync.OnceFunc(func() {
		for _, conn := range stalled {
			conn.mu.Unlock()
		}
	})
	defer release()
	waitFor(t, "the queue is full", func() bool { return e.Stats().TCP.Dropped > 100 })
	d.waitFrom(video, 'C', len(d.packets(video))+100)
	c.waitFrom(video, 'D', len(c.packets(video))+100)
	b.waitFrom(video, 'A', len(b.packets(video))+60)
	for _, queue := range queues(a.peer) {
		checkQueue(t, queue)
	}
	release()
	waitFor(t, "a key frame is asked for", func() bool { return e.Stats().Hub.CaughtUp > 0 })
	a.waitFrom(video, 'B', len(a.packets(video))+60)
	cancel()
	talking.Wait()
	for _, cl := range []*client{a, b, c, d} {
		cl.close()
	}
}

// flowGate is a network between TCP clients and the server that can stop
// carrying anything towards the client.
type flowGate struct {
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns []*gatedConn
}

type gatedConn struct {
	client, server net.Conn
	mu             sync.Mutex // held while stalled
}

func newFlowGate(t *testing.T, server string) *flowGate {
	g := &flowGate{listener: listen(t)}
	g.running.Go(func() {
		for {
			client, err := g.listener.Accept()
			if err != nil {
				return
			}
			conn, err := net.Dial("tcp4", server)
			if err != nil {
				t.Error(err)

				return
			}
			gated := &gatedConn{client: client, server: conn}
			g.mu.Lock()
			g.conns = append(g.conns, gated)
			g.mu.Unlock()
			g.running.Go(gated.down)
			g.running.Go(func() {
				_, _ = io.Copy(conn, client)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = g.listener.Close()
		for _, c := range g.all() {
			_ = c.client.Close()
			_ = c.server.Close()
		}
		g.running.Wait()
	})

	return g
}

// all returns the connections so far.
func (g *flowGate) all() []*gatedConn {
	g.mu.Lock()
	defer g.mu.Unlock()

	return slices.Clone(g.conns)
}

func (c *gatedConn) down() {
	b := make([]byte, 4<<10)
	for {
		n, err := c.server.Read(b)
		if err != nil {
			_ = c.client.Close()

			return
		}
		c.mu.Lock()
		_, err = c.client.Write(b[:n])
		c.mu.Unlock()
		if err != nil {
			_ = c.server.Close()

			return
		}
	}
}
