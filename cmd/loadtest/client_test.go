package main

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/srtp/v3"
)

// loner is a client whose packets go nowhere.
func loner(t *testing.T, p *pump) *client {
	t.Helper()
	hole, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := openSocket(netip.MustParseAddrPort(hole.LocalAddr().String()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(p, fd, newSSRCs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
		_ = hole.Close()
	})

	return c
}

// TestFaults plants what the checks must find: a check that cannot fail proves
// nothing.
func TestFaults(t *testing.T) {
	p, err := newPump(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	a, b, stranger := loner(t, p), loner(t, p), loner(t, p)
	k := fixedKeys()
	seal, err := srtp.CreateContext(k.Keys.RemoteMasterKey, k.Keys.RemoteMasterSalt, k.Profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.setKeys(k); err != nil {
		t.Fatal(err)
	}
	marry(a, b)
	p.with(func() { p.window = window{to: 1 << 62} })
	packet := func(from *client) []byte {
		plain := make([]byte, audioSize)
		s := &from.out[video]
		s.remember(s.seq, 1)
		s.write(plain, video, uint32(from.slot), 1, false, false, false)
		sealed, err := seal.EncryptRTP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}

		return sealed
	}
	for _, tc := range []struct {
		name string
		make func() []byte
		want faults
	}{
		{"good", func() []byte { return packet(a) }, faults{}},
		{"changed", func() []byte { b := packet(a); b[40] ^= 1; return b }, faults{Decrypt: 1}},
		{"foreign SSRC", func() []byte { b := packet(a); b[8] ^= 1; return b }, faults{Header: 1}},
		{"foreign type", func() []byte { b := packet(a); b[1] = 50; return b }, faults{Header: 1}},
		{"never sent", func() []byte {
			b := packet(a)
			a.out[video].sent = [ringSize]sentPacket{}

			return b
		}, faults{Header: 1}},
		{"somebody else's", func() []byte {
			stranger.out[video].ssrc, stranger.out[video].seq = a.out[video].ssrc, a.out[video].seq

			return packet(stranger)
		}, faults{Stray: 1}},
	} {
		p.with(func() {
			b.faults = faults{}
			b.packet(tc.make(), p.now())
			if b.faults != tc.want {
				t.Errorf("%s: %+v, want %+v", tc.name, b.faults, tc.want)
			}
		})
	}
	p.with(func() {
		arrived, again := p.window.arrivedN, p.window.againN
		again2 := packet(a)
		b.packet(bytes.Clone(again2), p.now())
		b.packet(again2, p.now())
		if p.window.arrivedN != arrived+1 || p.window.againN != again+1 {
			t.Errorf("a packet that came twice counts as %d, and %d times again", p.window.arrivedN-arrived, p.window.againN-again)
		}
	})
}
