package main

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/pion/srtp/v3"
)

// echoHost is a floor: it forwards what one address sends to another, and knows
// of nothing else. With crypto it decrypts and encrypts in between. Its loop is
// in echo_linux.go.
type echoHost struct {
	conn  *net.UDPConn
	crypt bool
	legs  atomic.Pointer[map[flow]*echoLeg] // never changed, only replaced
	ended chan struct{}
}

// flow is an IPv4 address and a port, which as one number are found faster.
type flow uint64

func newFlow(ip [4]byte, port uint16) flow {
	return flow(binary.BigEndian.Uint32(ip[:]))<<16 | flow(port)
}

func flowOf(a netip.AddrPort) flow { return newFlow(a.Addr().As4(), a.Port()) }

// echoLeg is where the packets of one address go. Only the loop uses it.
type echoLeg struct {
	to        netip.AddrPort
	in, out   *bareSRTP // nil without crypto
	inC, outC *srtp.Context
}

func newEchoHost(conn *net.UDPConn, crypt bool) (*echoHost, error) {
	h := &echoHost{conn: conn, crypt: crypt, ended: make(chan struct{})}
	h.legs.Store(&map[flow]*echoLeg{})
	loop, err := newEchoLoop(conn, h.legs.Load)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(h.ended)
		loop.run()
	}()

	return h, nil
}

func (*echoHost) answer(_, _ string) (string, error) { return "", errNoOffers }

// link is called from one goroutine.
func (h *echoHost) link(a, b netip.AddrPort) error {
	legs := map[flow]*echoLeg{}
	maps.Copy(legs, *h.legs.Load())
	for from, to := range map[netip.AddrPort]netip.AddrPort{a: b, b: a} { // order does not matter
		leg, err := newEchoLeg(to, h.crypt)
		if err != nil {
			return err
		}
		legs[flowOf(from)] = leg
	}
	h.legs.Store(&legs)

	return nil
}

func newEchoLeg(to netip.AddrPort, crypt bool) (l *echoLeg, err error) {
	l = &echoLeg{to: to}
	if !crypt {
		return l, nil
	}
	// What is local to the client is remote to us.
	config := fixedKeys()
	k := config.Keys
	if l.in, err = newBareSRTP(k.LocalMasterKey, k.LocalMasterSalt); err != nil {
		return nil, err
	}
	if l.out, err = newBareSRTP(k.RemoteMasterKey, k.RemoteMasterSalt); err != nil {
		return nil, err
	}
	if l.inC, err = srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, config.Profile); err != nil {
		return nil, fmt.Errorf("prepare SRTP: %w", err)
	}
	if l.outC, err = srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, config.Profile); err != nil {
		return nil, fmt.Errorf("prepare SRTP: %w", err)
	}

	return l, nil
}

// convert makes of a packet what the other side is sent, in place; b has room
// for as much as it had before.
func (l *echoLeg) convert(b []byte) ([]byte, bool) {
	if l.in == nil {
		return b, true
	}
	if len(b) > 1 && b[1] >= 192 && b[1] < 224 { // RFC 5761 section 4
		plain, err := l.inC.DecryptRTCP(b[:0], b, nil)
		if err != nil {
			return nil, false
		}
		sealed, err := l.outC.EncryptRTCP(plain[:0], plain, nil)

		return sealed, err == nil
	}
	plain, ok := l.in.open(b)
	if !ok {
		return nil, false
	}

	return l.out.seal(plain)
}

func (h *echoHost) close() error {
	err := h.conn.Close()
	<-h.ended

	return err
}
