package main

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzSplit sends anything as a connection's first bytes, in the clear and
// inside TLS: each connection has one fate, the one that the bytes ask for, and
// what a sink gets is what was sent.
func FuzzSplit(f *testing.F) {
	pair := testCertificate(f, "chat.example.org")
	config := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
		SessionTicketsDisabled: true} // a pipe holds nothing, and the client does not read
	for _, seed := range []string{"", "\x00\x03abc", "\x03", "\x04", "\x16\x03\x01", "\x16\x03\x01\x00\x00", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /\r\n", "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "\x00\x01\x00\x00\x21\x12\xa4\x42", "\xff"} {
		for mode := range uint8(4) {
			f.Add(mode, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, mode uint8, data []byte) {
		encrypted, inside := mode&1 != 0, mode&3 == 3
		c := splitConfig{HTTP: newSink(nil), ICE: newSink(nil), TURN: newSink(nil), Deadline: 5 * time.Second}
		if encrypted {
			c.TLS = config
		}
		s := newSplitter(c)
		got := map[fate]chan string{toHTTP: collect(c.HTTP), toICE: collect(c.ICE), toTURN: collect(c.TURN)}
		ours, theirs := net.Pipe()
		decided := make(chan struct{})
		go func() {
			defer close(decided)
			s.decide(theirs)
		}()
		want := expect(data, encrypted, inside)
		end := send(ours, data, inside)
		if want > toTURN {
			end()
		}
		<-decided
		end()
		for f, text := range got {
			_ = s.sink(f).Close()
			if answer, ok := <-text; ok != (f == want) || ok && answer != string(data) {
				t.Errorf("mode %d: %q came to sink %d as %q (%v), want sink %d", mode, data, f, answer, ok, want)
			}
		}
		if n := s.count[want].Load(); n != 1 && want != tlsFailed {
			t.Errorf("mode %d: %q is not counted as %d: %+v", mode, data, want, s.stats())
		}
		s.close()
	})
}

// send writes data, inside TLS or not, and returns how to end the connection.
func send(conn net.Conn, data []byte, inside bool) func() {
	if inside {
		c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		_ = c.Handshake() // shows in what becomes of it
		_, _ = c.Write(data)
		return func() { _ = c.Close() }
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }() // a pipe holds nothing: answers have to be taken
	_, _ = conn.Write(data)
	return func() { _ = conn.Close() }
}

// expect says where data belongs.
func expect(data []byte, encrypted, inside bool) fate {
	switch {
	case len(data) == 0:
		return gone
	case inside && data[0] < 0x40:
		return toTURN
	case inside:
		return toHTTP
	case data[0] < 0x04:
		return toICE
	case data[0] == 0x16 && encrypted:
		return tlsFailed
	case data[0] < 'A' || data[0] > 'Z':
		return garbage
	case encrypted:
		return redirected
	}
	return toHTTP
}

// collect reads one connection of a sink to its end; the channel closes without
// a text if there is none.
func collect(k *sink) chan string {
	text := make(chan string, 1)
	go func() {
		defer close(text)
		conn, err := k.Accept()
		if err != nil {
			return
		}
		all, _ := io.ReadAll(conn) // a pipe's end may be abrupt
		_ = conn.Close()
		text <- string(all)
	}()
	return text
}
