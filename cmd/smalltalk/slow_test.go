package main

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestSlowClients opens connections that never finish what they begin. Each
// must be closed in time: a stranger would else use up the file descriptors.
func TestSlowClients(t *testing.T) {
	for name, text := range map[string]string{
		"silence":              "",
		"half a header":        "GET / HTTP/1.1\r\nHost: x\r\n",
		"body that never is":   "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
		"post without a body":  "POST /api/v1/guests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
		"idle after an answer": "GET /api/v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, 0)
				conn := l.raw(text)
				begin := time.Now()
				_, _ = io.Copy(io.Discard, conn) // until the server closes it
				if took := time.Since(begin); took > 3*time.Minute {
					t.Errorf("closed after %v", took)
				}
				l.shutdown()
				l.end()
			})
		})
	}
}

// TestDeafClient asks for a lot and reads nothing of it.
func TestDeafClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 0)
		conn := l.raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		begin := time.Now()
		time.Sleep(2 * time.Minute)
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err == nil {
			t.Errorf("still open after %v without a byte read", time.Since(begin))
		}
		l.shutdown()
		l.end()
	})
}

// raw opens a connection to the server and sends text as it is.
func (l *lab) raw(text string) net.Conn {
	l.t.Helper()
	conn, err := l.pipes.dial(l.t.Context(), "", "")
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		l.t.Fatal(err)
	}
	return conn
}
