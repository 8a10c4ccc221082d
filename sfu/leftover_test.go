package sfu

import (
	"net"
	"runtime"
	"testing"
)

// TestNothingIsLeft: closing an Engine in the middle of everything ends every
// goroutine and every connection, and lets nothing new begin.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	e := newStreamEngine(t, nil)
	a, b := newClient(t, e, by(e, pathTCP, "a")), newClient(t, e, by(e, pathTLS, "b"))
	c := newClient(t, e, by(e, pathUDP, "c"))
	join(t, "room", a, b)
	stop := startTalking(a, b, c)
	a.waitFrom(video, 'B', 30)
	raw := newRawPeer(t, e)
	tcp := dialTCP(t, e)
	tcp.send(raw.check(t, raw.password))
	tcp.mapped()
	user, pass := e.TURNCredentials("idle", 0)
	strangers := []net.Conn{dialTCP(t, e).conn}
	for range 5 {
		conn, err := insecureTLS{}.Dial("tcp4", e.config.TURN.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		strangers = append(strangers, conn)
	}
	stop()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if s := e.Stats(); s.TCP.Open+s.TCP.Strangers+s.TURN.Connections+s.TURN.Allocations != 0 {
		t.Errorf("left: %+v %+v", s.TCP, s.TURN)
	}
	if u, p := e.TURNCredentials("late", 0); u+p != "" || user+pass == "" {
		t.Errorf("credentials %q %q", u, p)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	for _, cl := range []*client{a, b, c} {
		cl.close()
	}
	for _, conn := range append(strangers, tcp.conn) {
		_ = conn.Close()
	}
	waitFor(t, "every goroutine has ended", func() bool { return runtime.NumGoroutine() <= before })
}
