package main

import (
	"fmt"
	"net"
	"testing"
)

// dripConn is a connection from somewhere that only knows that it was closed.
type dripConn struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (c *dripConn) RemoteAddr() net.Addr { return c.from }
func (c *dripConn) Close() error         { c.closed = true; return nil }

func from(ip string) *dripConn {
	return &dripConn{from: &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
}

func TestHalfOpenEvictsOldest(t *testing.T) {
	h := newHalfOpen(4, 2)
	a1, a2, a3 := from("192.0.2.1"), from("192.0.2.1"), from("192.0.2.1")
	u1, u2 := h.add(a1), h.add(a2)
	if u3 := h.add(a3); !a1.closed || a2.closed || a3.closed || h.remove(u1) || !h.remove(u3) {
		t.Errorf("third of one address: closed %v %v %v; want only the first", a1.closed, a2.closed, a3.closed)
	}
	// Two addresses of one /64 are one customer, two of different ones are not.
	b1, b2, b3 := from("2001:db8::1"), from("2001:db8::2"), from("2001:db8::3")
	h.add(b1)
	h.add(b2)
	if h.add(b3); !b1.closed || b2.closed {
		t.Errorf("third of a /64: closed %v %v, want the first", b1.closed, b2.closed)
	}
	// Now a2, b2, b3 are in; one more fills it, the next puts the oldest out.
	h.add(from("2001:db8:1::1"))
	if h.add(from("192.0.2.2")); !a2.closed || h.remove(u2) || h.len() != 4 {
		t.Errorf("over the limit: a2 closed %v, %d in, want the oldest out and 4", a2.closed, h.len())
	}
}

// TestHalfOpenOne has a bound of one: the one that goes was the only one of its address.
func TestHalfOpenOne(t *testing.T) {
	h := newHalfOpen(1, 1)
	a, b := from("192.0.2.1"), from("192.0.2.1")
	h.add(a)
	u := h.add(b)
	if !a.closed || !h.remove(u) || h.len() != 0 || len(h.sources) != 0 {
		t.Errorf("closed %v, %d in, %d sources", a.closed, h.len(), len(h.sources))
	}
}

func TestHalfOpenClose(t *testing.T) {
	h := newHalfOpen(1000, 1000)
	var conns []*dripConn
	for i := range 100 {
		c := from(fmt.Sprintf("192.0.2.%d", i))
		conns = append(conns, c)
		h.add(c)
	}
	h.close()
	for i, c := range conns {
		if !c.closed {
			t.Errorf("connection %d is open", i)
		}
	}
	if h.add(from("192.0.2.1")) != nil || h.len() != 0 || len(h.sources) != 0 {
		t.Error("something is in it after close")
	}
}

func TestSourceOf(t *testing.T) {
	for _, tc := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.ParseIP("192.0.2.7")}, "192.0.2.7/32"},
		{&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.7")}, "192.0.2.7/32"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8:1:2:3::4")}, "2001:db8:1:2::/64"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, "fe80::/64"},
		{pipeAddr{}, "invalid Prefix"},
	} {
		if got := sourceOf(tc.addr).String(); got != tc.want {
			t.Errorf("%v: got %s, want %s", tc.addr, got, tc.want)
		}
	}
}
