package main

import (
	"fmt"
	"net"
	"syscall"
)

// replay is a connection whose first bytes have been read already: they are
// read again before the rest.
type replay struct {
	net.Conn
	first []byte // what is left of them; reading takes no lock, as each connection has one reader
}

// peek reads the first byte of conn and returns a connection that yields it again.
func peek(conn net.Conn) (*replay, byte, error) {
	first := make([]byte, 1)
	for {
		n, err := conn.Read(first)
		if n == 1 {
			return &replay{Conn: conn, first: first}, first[0], nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

// Read implements net.Conn.
func (r *replay) Read(b []byte) (int, error) {
	if len(r.first) > 0 && len(b) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// NetConn is the connection underneath, as tls.Conn.NetConn.
func (r *replay) NetConn() net.Conn { return r.Conn }

// CloseWrite ends this side's half where the connection underneath can.
func (r *replay) CloseWrite() error {
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// SyscallConn gives the socket at the bottom, also through TLS, so that its
// options can be set. Reading from it past TLS or the first bytes is not meant.
func (r *replay) SyscallConn() (syscall.RawConn, error) {
	for conn := r.Conn; ; {
		switch c := conn.(type) {
		case syscall.Conn:
			return c.SyscallConn()
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil, fmt.Errorf("a %T has no socket", conn)
		}
	}
}

var (
	_ net.Conn     = (*replay)(nil)
	_ syscall.Conn = (*replay)(nil)
)
