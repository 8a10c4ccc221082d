package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSplitManyHalfOpen: silent connections, begun handshakes and handshakes
// that come byte by byte fill the port, which stays usable and closes them all.
func TestSplitManyHalfOpen(t *testing.T) {
	p := newPort(t, true, func(c *splitConfig) { c.Deadline = 3 * time.Second })
	hello := clientHello(t)
	var idle []net.Conn
	for i := range 2000 {
		c := p.dial()
		switch i % 4 {
		case 1:
			_, _ = c.Write(hello[:1])
		case 2:
			_, _ = c.Write(hello[:len(hello)-1])
		case 3:
			go drip(c, hello)
		}
		idle = append(idle, c)
		if i%500 == 499 {
			if got := p.get(p.client("h2", "http/1.1"), "https"); got != "HTTP/2.0 tls=true" {
				t.Fatalf("after %d connections a request got %q", i+1, got)
			}
		}
	}
	for i, c := range idle {
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still open", i)
		}
	}
	p.settle(2004)
	s := p.split.stats()
	if s.HalfOpen != 0 || s.Evicted == 0 || s.TimedOut == 0 || s.HTTP != 4 {
		t.Errorf("stats %+v", s)
	}
}

// drip sends a byte each 50 ms for as long as it is taken.
func drip(c net.Conn, data []byte) {
	for i := range data {
		if _, err := c.Write(data[i : i+1]); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond) // the pace of the attack
	}
}

// clientHello is the first flight of a real TLS client.
func clientHello(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		_ = tls.Client(theirs, &tls.Config{ServerName: "chat.example.org"}).HandshakeContext(t.Context())
		_ = theirs.Close()
	}()
	buf := make([]byte, 4096)
	n, err := ours.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// TestSplitDeadline runs in virtual time: whatever a client does, it is decided
// when the deadline is over.
func TestSplitDeadline(t *testing.T) {
	hello := clientHello(t)
	pair := testCertificate(t, "chat.example.org")
	for name, behave := range map[string]func(net.Conn){
		"silence":   func(net.Conn) {},
		"one byte":  func(c net.Conn) { _, _ = c.Write(hello[:1]) },
		"slowloris": func(c net.Conn) { drip(c, bytes.Repeat(hello, 5)) },
		"slow HTTP": func(c net.Conn) { drip(c, bytes.Repeat([]byte("GET / HTTP/1.1\r\nX: "), 50)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				s := newSplitter(splitConfig{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}, HTTP: newSink(nil)})
				go s.serve(l)
				c, err := l.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				var behaving sync.WaitGroup
				behaving.Go(func() { behave(c) })
				_, _ = io.Copy(io.Discard, c)
				if took := time.Since(begin); took > decideTime+redirectWait {
					t.Errorf("closed after %v", took)
				}
				s.close()
				behaving.Wait()
			})
		})
	}
}

// failing is a listener whose Accept fails some times.
type failing struct {
	*pipeListener
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, &net.OpError{Op: "accept", Err: errors.New("too many open files")}
	}
	return f.pipeListener.Accept()
}

// TestAcceptErrors: a listener without descriptors is waited for and mentioned once.
func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newSplitter(splitConfig{ICE: newSink(nil), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		l := &failing{newPipeListener(), 50}
		go s.serve(l)
		begin := time.Now()
		c, err := l.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < time.Second || took > 50*time.Second {
			t.Errorf("accepted after %v: 50 failures must be waited out, each no longer than a second", took)
		}
		_, _ = io.WriteString(c, "\x00")
		if _, err := s.config.ICE.Accept(); err != nil {
			t.Error(err)
		}
		s.close()
		if n := strings.Count(log.String(), "\n"); n != 2 || s.stats().AcceptErrors != 50 {
			t.Errorf("%d errors, logged %d lines, want 2:\n%s", s.stats().AcceptErrors, n, log.String())
		}
	})
}

// TestCloseWhileFailing: closing does not wait for a listener to recover.
func TestCloseWhileFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSplitter(splitConfig{})
		go s.serve(&failing{newPipeListener(), 1 << 30})
		synctest.Wait()
		s.close()
		s.close()
		late := newPipeListener()
		s.serve(late)
		if _, err := late.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a listener given after close: %v", err)
		}
	})
}
