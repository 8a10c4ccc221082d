package sfu

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// disguise is a listener whose i-th connection, from 0, seems to come from
// the address that source makes of i.
type disguise struct {
	net.Listener
	source func(i int) netip.Addr
	i      int // the accepting goroutine's
}

// Accept implements net.Listener.
func (d *disguise) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	remote := netip.AddrPortFrom(d.source(d.i), uint16(d.i))
	d.i++

	return &disguised{Conn: conn, remote: net.TCPAddrFromAddrPort(remote)}, nil
}

type disguised struct {
	net.Conn
	remote net.Addr
}

func (d *disguised) RemoteAddr() net.Addr { return d.remote }
func (d *disguised) NetConn() net.Conn    { return d.Conn }

// host is an address of the documentation's network.
func host(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }

// flood opens n connections that say nothing.
func flood(t *testing.T, address net.Addr, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp4", address.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}

	return conns
}

// waitEnd waits until the server has closed a connection.
func waitEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the connection is not closed: %v", err)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error) //nolint:errorlint // a net.Conn's own error

	return ok && e.Timeout()
}

// TestIdleTURNConnectionsLockOut: connections that say nothing, from one
// address or from many, keep nobody from an allocation and end nobody's.
func TestIdleTURNConnectionsLockOut(t *testing.T) {
	for name, c := range map[string]struct {
		idle    int
		source  func(i int) netip.Addr
		evicted uint64
	}{
		"one address":    {maxTURNSource, func(int) netip.Addr { return host(1) }, 2}, // the first allocation is one of them
		"many addresses": {maxTURNConns, func(i int) netip.Addr { return host(i / 100) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := newStreamEngine(t, func(config *Config) {
				_ = config.TURN.Close()
				config.TURN = tls.NewListener(&disguise{Listener: listen(t), source: c.source}, selfSigned(t))
			})
			user, pass := e.TURNCredentials("me", time.Minute)
			if _, err := dialTURN(t, e, user, pass).Allocate(); err != nil {
				t.Fatal(err)
			}
			idle := flood(t, e.config.TURN.Addr(), c.idle)
			if _, err := dialTURN(t, e, user, pass).Allocate(); err != nil {
				t.Errorf("behind %d idle connections: %v", c.idle, err)
			}
			waitEnd(t, idle[0])
			if s := e.Stats().TURN; s.Allocations != 2 || s.RefusedConnections != 0 || s.Evicted != c.evicted {
				t.Errorf("counted %+v", s)
			}
		})
	}
}

// TestLobby walks at random and compares with a list: both bounds hold, who is
// put out is the oldest of those that wait, of its source where that is full,
// and nothing is kept of who has gone.
func TestLobby(t *testing.T) {
	const limit, perSource = 6, 3
	random := rand.New(rand.NewPCG(1, 2))
	l := newLobby(limit, perSource)
	var waiting, settled []*visitor // the oldest first
	of := func(all []*visitor, source netip.Addr) (some []*visitor) {
		for _, v := range all {
			if v.source == source {
				some = append(some, v)
			}
		}

		return some
	}
	without := func(all []*visitor, v *visitor) []*visitor {
		return slices.DeleteFunc(all, func(o *visitor) bool { return o == v })
	}
	for step := range 20_000 {
		switch random.IntN(5) {
		case 0, 1:
			v := &visitor{source: host(random.IntN(5))}
			mine := of(waiting, v.source)
			var want *visitor
			full := len(mine)+len(of(settled, v.source)) >= perSource
			if full && len(mine) > 0 {
				want = mine[0]
			} else if !full && len(waiting) >= limit {
				want = waiting[0]
			}
			out, ok := l.enter(v)
			if out != want || ok == (full && want == nil) {
				t.Fatalf("step %d: %p had to go, want %p; %v", step, out, want, ok)
			}
			if waiting = without(waiting, out); ok {
				waiting = append(waiting, v)
			}
			if out != nil && (l.leave(out) || l.settle(out) || l.unsettle(out)) {
				t.Fatalf("step %d: who was put out is there", step)
			}
		case 2:
			if len(waiting) > 0 && len(settled) < 4 {
				v := waiting[random.IntN(len(waiting))]
				if !l.settle(v) || l.settle(v) {
					t.Fatalf("step %d: settle", step)
				}
				waiting, settled = without(waiting, v), append(settled, v)
			}
		case 3:
			if len(settled) > 0 {
				v := settled[random.IntN(len(settled))]
				if !l.unsettle(v) || l.unsettle(v) {
					t.Fatalf("step %d: unsettle", step)
				}
				settled, waiting = without(settled, v), append(waiting, v)
			}
		case 4:
			if all := slices.Concat(waiting, settled); len(all) > 0 {
				v := all[random.IntN(len(all))]
				if !l.leave(v) || l.leave(v) {
					t.Fatalf("step %d: leave", step)
				}
				waiting, settled = without(waiting, v), without(settled, v)
			}
		}
		sources := map[netip.Addr]bool{}
		for _, v := range slices.Concat(waiting, settled) {
			sources[v.source] = true
		}
		if l.waiting.Len() != len(waiting) || len(l.sources) != len(sources) {
			t.Fatalf("step %d: %d wait of %d sources, want %d of %d",
				step, l.waiting.Len(), len(l.sources), len(waiting), len(sources))
		}
	}
}

func TestSourceOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7", "[::ffff:192.0.2.7]:1": "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::", "[fe80::1%eth0]:1": "fe80::",
	} {
		if got := sourceOf(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))); got != netip.MustParseAddr(want) {
			t.Errorf("%s is from %s", address, got)
		}
	}
	if got := sourceOf(&net.UnixAddr{}); got.IsValid() {
		t.Errorf("no address is %s", got)
	}
}
