package sfu

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// In a bubble time stands still while anything can run. So a call that has
// taken any time at all has blocked, and one that has not has not, however
// busy the machine is.

// pipes is a listener for connections in memory, without any buffer: a write
// waits until the other side reads.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })

	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server

	return client
}

// carrier makes an ICE-TCP client of one that sends datagrams: those that come
// to its address it sends on a connection, in frames, and back. It can stop
// reading from the connection while it goes on sending.
type carrier struct {
	udp     net.PacketConn
	tcp     net.Conn
	client  atomic.Pointer[net.Addr]
	running sync.WaitGroup

	mu   sync.Mutex
	flow chan struct{} // closed while it reads
}

func newCarrier(l *lab, server *pipes) *carrier {
	l.t.Helper()
	c := &carrier{tcp: server.dial(), flow: make(chan struct{})}
	close(c.flow)
	var err error
	c.udp, err = l.host().ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 0, 0, byte(l.hosts)), Port: 7000})
	if err != nil {
		l.t.Fatal(err)
	}
	c.running.Go(c.up)
	c.running.Go(c.down)

	return c
}

// candidates puts the carrier into an answer, as the only way to the server.
func (c *carrier) candidates(sdp string) string {
	a := c.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	mine := "a=candidate:1 1 udp 2130706431 " + a.Addr().String() + " 7000 typ host\r\n"
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=candidate:") {
			line, mine = mine, ""
		}
		b.WriteString(line)
	}

	return b.String()
}

func (c *carrier) up() {
	b := make([]byte, 2+maxDatagram)
	for {
		n, from, err := c.udp.ReadFrom(b[2:])
		if err != nil {
			return
		}
		c.client.Store(&from)
		binary.BigEndian.PutUint16(b, uint16(n))
		_, _ = c.tcp.Write(b[:2+n]) // after the connection's end it is lost
	}
}

func (c *carrier) down() {
	r, b := bufio.NewReader(c.tcp), make([]byte, maxDatagram)
	for {
		c.mu.Lock()
		flow := c.flow
		c.mu.Unlock()
		<-flow
		n, err := readFrame(r, b)
		if err != nil {
			return
		}
		_, _ = c.udp.WriteTo(b[:n], *c.client.Load())
	}
}

// stall stops reading; the function that it returns goes on.
func (c *carrier) stall() (resume func()) {
	flow := make(chan struct{})
	c.mu.Lock()
	c.flow = flow
	c.mu.Unlock()

	return sync.OnceFunc(func() { close(flow) })
}

func (c *carrier) close() {
	_ = c.udp.Close()
	_ = c.tcp.Close()
	c.running.Wait()
}

// watched is a transport that notes how long its calls have blocked at most.
type watched struct {
	sender
	blocked *atomic.Int64
}

func (w watched) since(start time.Time) {
	for took := int64(time.Since(start)); ; {
		if old := w.blocked.Load(); took <= old || w.blocked.CompareAndSwap(old, took) {
			return
		}
	}
}

func (w watched) sendRTP(via *burst, k kind, b []byte) error {
	defer w.since(time.Now())

	return w.sender.sendRTP(via, k, b)
}

func (w watched) sendRepair(via *burst, b []byte, index int64) error {
	defer w.since(time.Now())

	return w.sender.sendRepair(via, b, index)
}

func (w watched) sendRTCP(via *burst, b []byte) error {
	defer w.since(time.Now())

	return w.sender.sendRTCP(via, b)
}

// TestStalledForLong: a client over ICE-TCP reads nothing for twenty seconds
// and goes on sending. No call that sends blocks for it, what waits for it
// stays within the bound and loses old video first and sound last, and every
// other direction of both calls loses nothing. It reads again, and is there
// again; it reads nothing for longer still, and is given up.
func TestStalledForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newPipes()
		l := newLab(t, 10*time.Millisecond, 0, func() bool { return false }, func(c *Config) { c.TCP = server })
		stuck, fluent := newCarrier(l, server), newCarrier(l, server)
		var blocked atomic.Int64
		watch := func(s sender) sender { return watched{s, &blocked} }
		a := newLabClient(l, clientConfig{wrap: watch, answer: stuck.candidates})
		b := newLabClient(l, clientConfig{wrap: watch})
		c := newLabClient(l, clientConfig{wrap: watch, answer: fluent.candidates})
		d := newLabClient(l, clientConfig{wrap: watch})
		join(t, "room", a, b)
		join(t, "other", c, d)
		for cl, want := range map[*client]string{a: pathTCP, b: pathUDP, c: pathTCP, d: pathUDP} {
			if got := cl.peer.Stats().Path; got != want {
				t.Errorf("path %q, want %q", got, want)
			}
		}
		stop := startTalking(a, b, c, d)
		a.waitFrom(video, 'B', 60)
		queue := queues(a.peer)[0] // there is one: the carrier's
		others := []heard{{b, 'A'}, {c, 'D'}, {d, 'C'}}
		resume, since := stuck.stall(), counts(others)
		watchQueue(t, queue, 3*time.Second)
		pictures, sounds := waitingIn(queue)
		if len(sounds) < 145 || len(pictures) == 0 || time.Since(pictures[0]) > time.Since(sounds[0])/2 {
			t.Errorf("after 3 s %d of sound wait, and %d of video", len(sounds), len(pictures))
		}
		watchQueue(t, queue, 17*time.Second)
		pictures, sounds = waitingIn(queue)
		if len(pictures) > 0 || len(sounds) == 0 || time.Since(sounds[len(sounds)-1]) > 50*time.Millisecond {
			t.Errorf("after 20 s %d of sound wait, and %d of video", len(sounds), len(pictures))
		}
		for i, n := range counts(others) {
			if n -= since[i]; n < 20*90*98/100 {
				t.Errorf("%d packets from %c in 20 s", n, others[i].name)
			}
		}
		resume()
		got := len(a.packets(video))
		a.waitFrom(video, 'B', got+60)
		if n := l.engine.Stats().Hub.CaughtUp; n == 0 {
			t.Error("no key frame was asked for")
		}

		resume = stuck.stall()
		<-a.peer.Done()
		since = counts(others[1:])
		time.Sleep(10 * time.Second)
		for i, n := range counts(others[1:]) {
			if n -= since[i]; n < 10*90*98/100 {
				t.Errorf("%d packets from %c in 10 s, after the stalled one was given up", n, others[1+i].name)
			}
		}
		if s := l.engine.Stats(); s.TCP.Open != 1 || queue.bytes != 0 {
			t.Errorf("left: %+v, %d bytes", s.TCP, queue.bytes)
		}
		if took := time.Duration(blocked.Load()); took != 0 {
			t.Errorf("a call that sends blocked for %v", took)
		}
		stop()
		resume()
		for _, cl := range []*client{a, b, c, d} {
			cl.close()
		}
		stuck.close()
		fluent.close()
		l.close()
	})
}

// heard is one direction of a call.
type heard struct {
	by   *client
	name byte
}

// counts returns how many different video packets have come in each direction.
func counts(directions []heard) (n []int) {
	for _, h := range directions {
		different, _ := delivered(h.by.packets(video), h.name)
		n = append(n, different)
	}

	return n
}

// queues are those of a peer's ICE-TCP connections.
func queues(p *Peer) (all []*sendQueue) {
	p.end.mu.Lock()
	defer p.end.mu.Unlock()
	for _, l := range p.end.streams {
		all = append(all, l.out)
	}

	return all
}

// checkQueue checks that what waits is within the bound, and counted right.
func checkQueue(t *testing.T, q *sendQueue) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	counted := 0
	for _, f := range []*fifo{&q.video, &q.other} {
		for _, p := range f.items[f.head:] {
			counted += p.n
		}
	}
	if q.bytes > queueLimit || q.video.len()+q.other.len() > queueParcels || counted != q.bytes {
		t.Errorf("%d bytes wait in %d, counted as %d", counted, q.video.len()+q.other.len(), q.bytes)
	}
}

// watchQueue checks a queue ten times a second.
func watchQueue(t *testing.T, q *sendQueue, long time.Duration) {
	t.Helper()
	for range long / (100 * time.Millisecond) {
		time.Sleep(100 * time.Millisecond)
		checkQueue(t, q)
	}
}

// waitingIn returns when what waits has come, the oldest first.
func waitingIn(q *sendQueue) (pictures, others []time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.video.items[q.video.head:] {
		pictures = append(pictures, p.at)
	}
	for _, p := range q.other.items[q.other.head:] {
		others = append(others, p.at)
	}

	return pictures, others
}

// stuckConn tells when a write to it has begun.
type stuckConn struct {
	net.Conn
	writing chan struct{}
	once    sync.Once
}

func (c *stuckConn) Write(b []byte) (int, error) {
	c.once.Do(func() { close(c.writing) })

	return c.Conn.Write(b)
}

// virtualSender is a transport that sends media to a virtual address, without
// encryption.
type virtualSender struct {
	discardSender
	in *inbox
	to netip.AddrPort
}

func (v *virtualSender) sendRTP(_ *burst, _ kind, b []byte) error {
	_, err := v.in.WriteToAddrPort(b, v.to)

	return err
}

// TestWriterHoldsNothing: while a connection's writer is stuck in a write it
// holds no lock that others need, and all of the way of a packet, from the
// publisher's to the stuck connection's queue, is gone without blocking.
func TestWriterHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := armedHub(t)
		defer func() { _ = h.Close() }()
		out := &virtualSender{in: h.inbox(end, ipv4)}
		subscriber := newLeg(out, defaultMaxBitrate, ntpEpoch, random)
		subscriber.negotiated(testMedia(20))
		publisher, _ := newTestLeg(10)
		end.arm("password", subscriber)
		client, server := net.Pipe()
		conn := &stuckConn{Conn: server, writing: make(chan struct{})}
		link := newTCPLink(&tcpServer{hub: h}, conn, end)
		out.to = link.at
		var running sync.WaitGroup
		running.Go(func() { link.run(bufio.NewReader(conn), make([]byte, maxDatagram)) })
		rs := newRooms()
		for _, l := range []*leg{publisher, subscriber} {
			if _, err := rs.join(l, "room", 0); err != nil {
				t.Fatal(err)
			}
			rs.setReady(l, 0)
		}
		camera := newCamera(publisher, 500)
		payload := append(slices.Clone(keyFrame), make([]byte, 1000)...)
		camera.frame(payload)
		<-conn.writing
		for name, mu := range map[string]*sync.Mutex{"hub": &h.mu, "endpoint": &end.mu, "queue": &link.out.mu, "rooms": &rs.mu} {
			if !mu.TryLock() {
				t.Fatalf("the lock of the %s is held during a write", name)
			}
			mu.Unlock()
		}
		start, sent := time.Now(), subscriber.count.sentPackets.Load()
		for range 10_000 {
			camera.frame(payload)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("forwarding blocked for %v", took)
		}
		if n := subscriber.count.sentPackets.Load() - sent; n != 10_000 {
			t.Errorf("%d of 10000 packets were forwarded", n)
		}
		if link.out.bytes > queueLimit {
			t.Errorf("%d bytes wait", link.out.bytes)
		}
		_ = client.Close()
		running.Wait()
	})
}
