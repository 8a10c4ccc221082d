package sfu

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

const fuzzPassword = "the password of the endpoint"

// armedHub is a hub with one endpoint, ufrag "ours".
func armedHub(t testing.TB) (*hub, *endpoint) {
	t.Helper()
	h := newHub(func() time.Duration { return 0 })
	h.families = []family{ipv4}
	if _, err := h.GetConn("ours", net.UDPAddrFromAddrPort(ownAddress(ipv4))); err != nil {
		t.Fatal(err)
	}
	l, _ := newTestLeg(1000)

	return h, h.arm("ours", fuzzPassword, l)
}

func frames(datagrams ...[]byte) (b []byte) {
	for _, d := range datagrams {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(d))), d...)
	}

	return b
}

func addChecks(f *testing.F, add func([]byte)) {
	p := &rawPeer{ufrag: "ours"}
	add(p.check(f, fuzzPassword))
	add(p.check(f, "another password that is as long"))
	add((&rawPeer{ufrag: "theirs"}).check(f, fuzzPassword))
	add(append([]byte{0x80, 96}, make([]byte, 50)...))
	add(nil)
}

// FuzzFrames: RFC 4571 frames are what the lengths before them say.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 3, 0, 0, 0, 1, 9})
	f.Add([]byte{255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, at := bufio.NewReaderSize(bytes.NewReader(b), 16), 0
		buf := make([]byte, maxDatagram)
		for {
			n, err := readFrame(r, buf)
			if err != nil {
				break
			}
			if at+2+n > len(b) || int(b[at])<<8|int(b[at+1]) != n || !bytes.Equal(buf[:n], b[at+2:at+2+n]) {
				t.Fatalf("frame of %d at %d", n, at)
			}
			at += 2 + n
		}
		if at+2 <= len(b) {
			if size := int(b[at])<<8 | int(b[at+1]); size <= maxDatagram && at+2+size <= len(b) {
				t.Fatalf("a whole frame of %d at %d was not read", size, at)
			}
		}
	})
}

// FuzzTCPAccept: only a check made with the password is let in.
func FuzzTCPAccept(f *testing.F) {
	h, end := armedHub(f)
	server := &tcpServer{hub: h}
	addChecks(f, func(b []byte) {
		f.Add(frames(b))
		f.Add(frames(make([]byte, 20), b))
		f.Add(frames(nil, b))
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		buf := make([]byte, maxDatagram)
		got, n := server.identify(bufio.NewReader(bytes.NewReader(b)), buf)
		if got == nil {
			return
		}
		if proven, ok := h.prove(bytes.Clone(buf[:n])); got != end || !ok || proven != end {
			t.Fatalf("let in with %x", buf[:n])
		}
	})
}

// FuzzHub: what comes through an allocation reaches an agent only behind a check.
func FuzzHub(f *testing.F) {
	h, end := armedHub(f)
	ours := netip.MustParseAddrPort("192.0.2.1:443")
	h.allow([]netip.AddrPort{ours})
	server := &turnServer{hub: h}
	addChecks(f, func(b []byte) {
		f.Add(b, []byte("media"))
		f.Add([]byte("media"), b)
	})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		r := &relay{
			server: server, family: ipv4, base: h.numbers.allocation(ipv4), session: &turnSession{},
			out: newSendQueue(&server.count.queue), done: make(chan struct{}), ports: map[netip.AddrPort]*relayPort{},
		}
		in := h.inbox(end, ipv4)
		proven := false
		for _, b := range [][]byte{first, second} {
			if _, err := r.WriteTo(b, net.UDPAddrFromAddrPort(ours)); err != nil {
				t.Fatal(err)
			}
			if isCheck(b) {
				if _, ok := h.prove(bytes.Clone(b)); ok {
					proven = true
				}
			}
			for {
				s, _ := in.next()
				if s == nil {
					break
				}
				if !proven || !bytes.Equal(s.datagram(), b) || pathOf(s.addr.Addr()) != pathTLS {
					t.Fatalf("%x came from %s", s.datagram(), s.addr)
				}
				s.free()
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if end.links[r.base] != nil {
			t.Fatal("the link outlives its allocation")
		}
	})
}

// FuzzTURN: whatever a stranger sends, Pion's parser gets whole messages of a
// bounded size, and the connection ends.
func FuzzTURN(f *testing.F) {
	e := newStreamEngine(f, func(c *Config) {
		_ = c.TURN.Close()
		c.TURN = listen(f)
	})
	f.Add([]byte("\x00\x03\x00\x08\x21\x12\xa4\x42aaaabbbbcccc\x00\x19\x00\x04\x11\x00\x00\x00"))
	f.Add([]byte("\x00\x01\xff\xec\x21\x12\xa4\x42"))
	f.Add([]byte("\x40\x00\x00\x01a\x00\x00\x00"))
	f.Add([]byte("\x40\x00\xff\xfd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed := &turnConn{r: bufio.NewReader(bytes.NewReader(b))}
		total := 0
		for {
			n, err := parsed.Read(make([]byte, 2<<10))
			total += n
			if err != nil {
				break
			}
			if n == 0 || n > maxTURNFrame || total > len(b) {
				t.Fatalf("read %d, %d of %d", n, total, len(b))
			}
		}
		conn, err := net.Dial("tcp4", e.config.TURN.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write(b) // the server may have closed it already
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			return
		}
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, conn)
		if e, ok := err.(net.Error); ok && e.Timeout() { //nolint:errorlint // a net.Conn's own error
			t.Fatal("the connection does not end")
		}
	})
}
