package sfu

import (
	"container/list"
	"net"
	"net/netip"
)

// lobby bounds the connections that have not yet shown what they are for: over
// all, and from one source.
//
// At a bound the oldest goes, not the newest: who means it is through in a few
// round trips, so who has waited longest is the least likely to. If the newest
// were refused, a few hundred connections that say nothing would lock everybody
// out; like this they must all be opened anew within each honest handshake. A
// visitor that has shown what it is for is never put out.
//
// Each call takes the same time however many there are. The owner's mutex
// guards it all, and the owner severs, without it, whom enter puts out.
type lobby struct {
	limit     int // of those who wait
	perSource int // of all that stay
	waiting   *list.List
	sources   map[netip.Addr]*crowd
}

// crowd is whom a lobby has of one source.
type crowd struct {
	waiting *list.List // of *visitor, the oldest first, as lobby.waiting
	settled int
}

// visitor is a connection in a lobby.
type visitor struct {
	conn    net.Conn
	source  netip.Addr
	settled bool
	// Both are nil unless it waits.
	inAll, inCrowd *list.Element
}

func newLobby(limit, perSource int) *lobby {
	return &lobby{limit: limit, perSource: perSource, waiting: list.New(), sources: map[netip.Addr]*crowd{}}
}

func newVisitor(conn net.Conn) *visitor {
	return &visitor{conn: conn, source: sourceOf(conn.RemoteAddr())}
}

// sourceOf is who a connection comes from: for IPv6 a network, because one
// person has all of it. Those without an IP address are all one.
func sourceOf(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := t.AddrPort().Addr().Unmap()
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}

	return ip
}

// enter takes a connection in, to wait. out, if not nil, had to go for it. It
// returns false if there is no room, and none can be made: so many of its
// source have settled.
func (l *lobby) enter(v *visitor) (out *visitor, ok bool) {
	c := l.sources[v.source]
	switch {
	case c != nil && c.waiting.Len()+c.settled >= l.perSource:
		if out = oldest(c.waiting); out == nil {
			return nil, false
		}
	case l.waiting.Len() >= l.limit:
		out = oldest(l.waiting)
	}
	if out != nil {
		l.leave(out)
	}
	l.wait(v)

	return out, true
}

func oldest(waiting *list.List) *visitor {
	e := waiting.Front()
	if e == nil {
		return nil
	}

	return e.Value.(*visitor) //nolint:forcetypeassert // there is nothing else in the list
}

func (l *lobby) wait(v *visitor) {
	c := l.sources[v.source]
	if c == nil {
		c = &crowd{waiting: list.New()}
		l.sources[v.source] = c
	}
	v.inAll, v.inCrowd = l.waiting.PushBack(v), c.waiting.PushBack(v)
}

// settle notes that a visitor has shown what it is for; it stays one of its
// source. It returns false if it does not wait, because it was put out.
func (l *lobby) settle(v *visitor) bool {
	if v.inAll == nil {
		return false
	}
	l.drop(v)
	v.settled = true
	l.sources[v.source].settled++

	return true
}

// unsettle makes a visitor wait again, as the newest. It may be one more than the
// limit: it was here before. It returns false if it had not settled.
func (l *lobby) unsettle(v *visitor) bool {
	if !v.settled {
		return false
	}
	v.settled = false
	l.sources[v.source].settled--
	l.wait(v)

	return true
}

// leave lets a visitor go. It returns false if it had gone already.
func (l *lobby) leave(v *visitor) bool {
	c := l.sources[v.source]
	switch {
	case v.inAll != nil:
		l.drop(v)
	case v.settled:
		v.settled = false
		c.settled--
	default:
		return false
	}
	if c.waiting.Len()+c.settled == 0 {
		delete(l.sources, v.source)
	}

	return true
}

// drop takes a visitor out of the lists.
func (l *lobby) drop(v *visitor) {
	l.waiting.Remove(v.inAll)
	l.sources[v.source].waiting.Remove(v.inCrowd)
	v.inAll, v.inCrowd = nil, nil
}
