package sfu

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// dialTURN makes a TURN client over TLS.
func dialTURN(t testing.TB, e *Engine, user, pass string) *turn.Client {
	t.Helper()
	conn, err := insecureTLS{}.Dial("tcp4", e.config.TURN.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: conn.RemoteAddr().String(), TURNServerAddr: conn.RemoteAddr().String(),
		Conn: turn.NewSTUNConn(conn), Username: user, Password: pass, Realm: turnRealm, LoggerFactory: pionLogs{discard},
		RTO: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		_ = conn.Close()
	})

	return c
}

// mediaAddress is what the engine told its clients to send to.
func mediaAddress(t testing.TB, e *Engine) *net.UDPAddr {
	t.Helper()
	media := *e.hub.media.Load()
	if len(media) == 0 {
		t.Fatal("nothing was offered")
	}

	return net.UDPAddrFromAddrPort(media[0])
}

// TestTURNIsNoOpenRelay: whoever has credentials gets through to our own media
// address and to nothing else.
func TestTURNIsNoOpenRelay(t *testing.T) {
	e := newStreamEngine(t, nil)
	p := newRawPeer(t, e)
	user, pass := e.TURNCredentials("me", time.Minute)
	c := dialTURN(t, e, user, pass)
	conn, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(conn.LocalAddr().String(), "198.18.") {
		t.Errorf("relayed address %s", conn.LocalAddr())
	}
	before := e.Stats().TURN
	hosts := []string{"192.0.2.1", "10.0.0.1", "127.0.0.2", "0.0.0.0", "169.254.169.254", "198.18.0.0", "198.19.0.0", "224.0.0.1", "255.255.255.255"}
	for _, host := range hosts {
		if err := c.CreatePermission(&net.UDPAddr{IP: net.ParseIP(host), Port: 443}); err == nil {
			t.Errorf("permission for %s", host)
		}
	}
	if got := e.Stats().TURN.RefusedPermissions - before.RefusedPermissions; got != uint64(len(hosts)) {
		t.Errorf("%d permissions refused, want %d", got, len(hosts))
	}
	if err := c.CreatePermission(&net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443}); err == nil {
		t.Error("permission for the other family")
	}

	// Our own host, other ports: a permission is for a host, so it is given,
	// and nothing arrives.
	own := mediaAddress(t, e)
	listener, err := net.ListenUDP("udp4", &net.UDPAddr{IP: own.IP})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for _, to := range []net.Addr{listener.LocalAddr(), &net.UDPAddr{IP: own.IP, Port: 53}} {
		if _, err := conn.WriteTo([]byte("let me in"), to); err != nil {
			t.Error(err)
		}
	}
	waitFor(t, "refused sends are counted", func() bool { return e.Stats().TURN.RefusedSends == 2 })

	// What is no proof of knowing the session does not get through either.
	for _, b := range [][]byte{[]byte("hello there"), p.check(t, "a wrong password that is long"), append([]byte{0x80, 96}, make([]byte, 100)...)} {
		if _, err := conn.WriteTo(b, own); err != nil {
			t.Error(err)
		}
	}
	waitFor(t, "unproven datagrams are counted", func() bool { return e.Stats().Hub.Unproven >= 3 })
	if _, err := conn.WriteTo(p.check(t, p.password), own); err != nil {
		t.Fatal(err)
	}
	if got := readMapped(t, conn); got != conn.LocalAddr().String() {
		t.Errorf("the agent sees %s, the client is %s", got, conn.LocalAddr())
	}
	if err := listener.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, from, err := listener.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes came from %s", n, from)
	}

	// The allocation ends with its peer.
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the allocation is gone", func() bool { return e.Stats().TURN.Allocations == 0 })
}

// readMapped reads the answer to a check and returns the address in it.
func readMapped(t testing.TB, conn net.PacketConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, maxDatagram)
	for {
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			t.Fatalf("no answer to the check: %v", err)
		}
		m := &stun.Message{Raw: b[:n]}
		var address stun.XORMappedAddress
		if m.Decode() == nil && m.Type == stun.BindingSuccess && address.GetFrom(m) == nil {
			return address.String()
		}
	}
}

// TestTURNCredentials: only those of a live session, before they expire.
func TestTURNCredentials(t *testing.T) {
	e := newStreamEngine(t, nil)
	other := newStreamEngine(t, nil)
	user, pass := e.TURNCredentials("me", time.Minute)
	again, _ := e.TURNCredentials("me", time.Minute)
	stranger, _ := e.TURNCredentials("you", time.Minute)
	_, id, _ := strings.Cut(user, ":")
	if _, sameID, _ := strings.Cut(again, ":"); sameID != id || strings.Contains(user, "me") || stranger == user {
		t.Errorf("user names %q, %q, %q", user, again, stranger)
	}
	expiredUser, expiredPass := e.TURNCredentials("me", -time.Minute)
	foreignUser, foreignPass := other.TURNCredentials("me", time.Minute)
	revokedUser, revokedPass := e.TURNCredentials("gone", time.Minute)
	e.RevokeTURN("gone")
	e.RevokeTURN("nobody")
	later := "9" + user
	for name, c := range map[string][2]string{
		"expired":           {expiredUser, expiredPass},
		"foreign":           {foreignUser, foreignPass},
		"revoked":           {revokedUser, revokedPass},
		"another's":         {stranger, pass},
		"made longer":       {later, pass},
		"without an expiry": {":" + id, pass},
		"no session":        {"9999999999:", pass},
		"garbage":           {"garbage", "garbage"},
	} {
		before := e.Stats().TURN.RefusedCredentials
		if _, err := dialTURN(t, e, c[0], c[1]).Allocate(); err == nil {
			t.Errorf("%s: an allocation", name)
		}
		if e.Stats().TURN.RefusedCredentials == before {
			t.Errorf("%s: not counted", name)
		}
	}
	c := dialTURN(t, e, user, pass)
	if _, err := c.Allocate(); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats().TURN; s.Allocations != 1 || s.Allocated != 1 {
		t.Errorf("counted %+v", s)
	}
	e.RevokeTURN("me")
	waitFor(t, "the allocation is gone", func() bool { return e.Stats().TURN.Allocations == 0 })
	if _, err := dialTURN(t, e, user, pass).Allocate(); err == nil {
		t.Error("an allocation after the session's end")
	}
}

// rawTURN is a TURN client made by hand: it sends each request once.
type rawTURN struct {
	t    testing.TB
	conn net.Conn
}

// ask sends a request and returns the answer to it.
func (c rawTURN) ask(method stun.Method, attributes ...stun.Setter) *stun.Message {
	c.t.Helper()
	request := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attributes...)
	m, err := stun.Build(request...)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(m.Raw); err != nil {
		c.t.Fatal(err)
	}
	answer := &stun.Message{Raw: make([]byte, maxDatagram)}
	if _, err := answer.ReadFrom(c.conn); err != nil {
		c.t.Fatal(err)
	}

	return answer
}

// TestRefusedCredentialsCountOnce: each request with credentials that are
// refused, for whichever reason, counts once, and no other one does.
func TestRefusedCredentialsCountOnce(t *testing.T) {
	e := newStreamEngine(t, nil)
	user, pass := e.TURNCredentials("me", time.Minute)
	expiredUser, expiredPass := e.TURNCredentials("me", -time.Minute)
	udp := stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}
	conn, err := insecureTLS{}.Dial("tcp4", e.config.TURN.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	c := rawTURN{t, conn}
	var nonce stun.Nonce
	if err := nonce.GetFrom(c.ask(stun.MethodAllocate, udp)); err != nil { // refused, but had none
		t.Fatal(err)
	}
	for _, r := range []struct {
		name       string
		user, pass string
		nonce      stun.Nonce
		counts     uint64
		code       stun.ErrorCode // 0 is success
	}{
		{"an unknown session", "9999999999:nobody", pass, nonce, 1, stun.CodeBadRequest},
		{"expired", expiredUser, expiredPass, nonce, 1, stun.CodeBadRequest},
		{"a wrong password", user, expiredPass, nonce, 1, stun.CodeBadRequest},
		{"no user name to speak of", "", "", nonce, 1, stun.CodeBadRequest},
		{"an old nonce", user, pass, stun.NewNonce("old"), 0, stun.CodeStaleNonce},
		{"right", user, pass, nonce, 0, 0},
	} {
		for _, method := range []stun.Method{stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission} {
			if r.code == 0 && method == stun.MethodCreatePermission {
				continue // it lacks an address
			}
			before := e.Stats().TURN.RefusedCredentials
			answer := c.ask(method, stun.NewUsername(r.user), stun.NewRealm(turnRealm), r.nonce, udp,
				stun.NewLongTermIntegrity(r.user, turnRealm, r.pass))
			var code stun.ErrorCodeAttribute
			if err := code.GetFrom(answer); (err == nil) != (r.code != 0) || code.Code != r.code {
				t.Errorf("%s, %s: answer %s", r.name, method, answer)
			}
			if got := e.Stats().TURN.RefusedCredentials - before; got != r.counts {
				t.Errorf("%s, %s: counted %d times, want %d", r.name, method, got, r.counts)
			}
		}
	}
}

// TestTURNFlood: a session has a limited number of allocations, and none of TCP.
func TestTURNFlood(t *testing.T) {
	e := newStreamEngine(t, nil)
	user, pass := e.TURNCredentials("me", time.Minute)
	for i := range 2 * maxRelays {
		_, err := dialTURN(t, e, user, pass).Allocate()
		if (err == nil) != (i < maxRelays) {
			t.Errorf("allocation %d: %v", i, err)
		}
	}
	if s := e.Stats().TURN; s.Allocations != maxRelays || s.RefusedAllocations != maxRelays {
		t.Errorf("counted %+v", s)
	}
	user, pass = e.TURNCredentials("you", time.Minute)
	c := dialTURN(t, e, user, pass)
	if _, err := c.AllocateTCP(); err == nil {
		t.Error("an allocation of TCP")
	}
	if _, err := c.Allocate(); err != nil {
		t.Errorf("the other session: %v", err)
	}
}

// TestTURNPermissionFlood: the server remembers a bounded number of channels.
func TestTURNPermissionFlood(t *testing.T) {
	e := newStreamEngine(t, nil)
	newRawPeer(t, e)
	user, pass := e.TURNCredentials("me", time.Minute)
	c := dialTURN(t, e, user, pass)
	if _, err := c.Allocate(); err != nil {
		t.Fatal(err)
	}
	own, refused := mediaAddress(t, e), 0
	for port := range 3 * maxGrants {
		if c.CreatePermission(&net.UDPAddr{IP: own.IP, Port: 1 + port}) != nil {
			refused++
		}
	}
	if refused == 0 || uint64(refused) != e.Stats().TURN.RefusedPermissions {
		t.Errorf("%d refused, %+v", refused, e.Stats().TURN)
	}
}

// TestTURNStrangers: garbage ends a connection, silence does in time, and
// neither, nor lengths that overflow, keep the server busy.
func TestTURNStrangers(t *testing.T) {
	e := newStreamEngine(t, nil)
	for name, b := range map[string]string{
		"garbage":                 "GET / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 100),
		"length that overflows":   "\x00\x01\xff\xec\x21\x12\xa4\x42" + strings.Repeat("x", 100),
		"channel that overflows":  "\x40\x00\xff\xff" + strings.Repeat("x", 100),
		"longer than a datagram":  "\x00\x01\x20\x00\x21\x12\xa4\x42" + strings.Repeat("x", 100),
		"no magic cookie":         "\x00\x01\x00\x00" + strings.Repeat("x", 100),
		"silence":                 "",
		"a message that is short": "\x00\x01\x00\x08\x21\x12\xa4\x42",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := insecureTLS{}.Dial("tcp4", e.config.TURN.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, b); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(2 * turnPatience)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
				t.Errorf("not closed: %v", err)
			}
		})
	}
}

// TestSlowTURNClient: what waits for a client that reads nothing is bounded.
func TestSlowTURNClient(t *testing.T) {
	e := newStreamEngine(t, nil)
	p := newRawPeer(t, e)
	user, pass := e.TURNCredentials("me", time.Minute)
	conn, err := dialTURN(t, e, user, pass).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WriteTo(p.check(t, p.password), mediaAddress(t, e)); err != nil {
		t.Fatal(err)
	}
	readMapped(t, conn)
	var port *relayPort
	e.turn.mu.Lock()
	for _, s := range e.turn.sessions {
		for r := range s.relays {
			port = r.allPorts()[0]
		}
	}
	e.turn.mu.Unlock()
	for range 10_000 {
		port.deliver(make([]byte, 1200), true)
	}
	port.relay.out.mu.Lock()
	if n := port.relay.out.bytes; n > queueLimit {
		t.Errorf("%d bytes wait", n)
	}
	port.relay.out.mu.Unlock()
	if e.Stats().TURN.Dropped == 0 {
		t.Error("nothing was dropped")
	}
	waitFor(t, "a key frame is asked for", func() bool { return e.Stats().Hub.CaughtUp > 0 })
}
