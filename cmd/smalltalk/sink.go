package main

import (
	"net"
	"sync"
)

// sink is the net.Listener that one protocol of a shared port is read from.
// Closing it refuses further connections of that protocol and leaves the port
// open: net/http, for one, closes its listener before the rest has ended.
type sink struct {
	addr   net.Addr
	conns  chan net.Conn // without a buffer: what is in it belongs to nobody who would close it
	closed chan struct{}
	once   sync.Once
}

func newSink(addr net.Addr) *sink {
	return &sink{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// deliver waits until somebody accepts conn; false means that nobody will, and
// conn is still the caller's.
func (k *sink) deliver(conn net.Conn, stop <-chan struct{}) bool {
	select {
	case k.conns <- conn:
		return true
	case <-k.closed:
		return false
	case <-stop:
		return false
	}
}

// Accept implements net.Listener.
func (k *sink) Accept() (net.Conn, error) {
	select {
	case conn := <-k.conns:
		return conn, nil
	case <-k.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (k *sink) Close() error {
	k.once.Do(func() { close(k.closed) })
	return nil
}

// Addr implements net.Listener: the address of the shared port.
func (k *sink) Addr() net.Addr { return k.addr }

var _ net.Listener = (*sink)(nil)
