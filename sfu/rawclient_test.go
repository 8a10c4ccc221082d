package sfu

import (
	"bufio"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// rawPeer is a Peer that has answered a browser's offer, for clients that are
// made by hand.
type rawPeer struct {
	*Peer
	answer          string
	ufrag, password string
	remote          string // the client's ufrag
}

func newRawPeer(t testing.TB, e *Engine) *rawPeer {
	t.Helper()
	p, err := e.NewPeer()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := p.Answer(chromium(t))
	if err != nil {
		t.Fatal(err)
	}

	return &rawPeer{
		Peer: p, answer: answer, remote: "frag",
		ufrag:    strings.TrimPrefix(lines(answer, "a=ice-ufrag:")[0], "a=ice-ufrag:"),
		password: strings.TrimPrefix(lines(answer, "a=ice-pwd:")[0], "a=ice-pwd:"),
	}
}

// check is a connectivity check for p that nominates its path, with a password.
func (p *rawPeer) check(t testing.TB, password string) []byte {
	t.Helper()

	return p.checkWith(t, password, 0x6e000001)
}

// checkWith is check with the priority of the client's candidate.
func (p *rawPeer) checkWith(t testing.TB, password string, priority uint32) []byte {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(p.ufrag+":"+p.remote),
		stun.RawAttribute{Type: stun.AttrPriority, Value: binary.BigEndian.AppendUint32(nil, priority)},
		stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)},
		stun.RawAttribute{Type: stun.AttrUseCandidate},
		stun.NewShortTermIntegrity(password), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}

	return m.Raw
}

// rawTCP is an ICE-TCP client made by hand.
type rawTCP struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func dialTCP(t testing.TB, e *Engine) *rawTCP {
	t.Helper()
	conn, err := net.Dial("tcp4", e.config.TCP.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })

	return &rawTCP{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// send writes frames, each with its length before it.
func (c *rawTCP) send(frames ...[]byte) {
	for _, f := range frames {
		b := binary.BigEndian.AppendUint16(nil, uint16(len(f)))
		if _, err := c.conn.Write(append(b, f...)); err != nil {
			return // the server has closed it, which is what the test looks at
		}
	}
}

// mapped reads until the answer to a check and returns the address in it.
func (c *rawTCP) mapped() string {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, maxDatagram)
	for {
		n, err := readFrame(c.r, b)
		if err != nil {
			c.t.Fatalf("no answer to the check: %v", err)
		}
		m := &stun.Message{Raw: b[:n]}
		var address stun.XORMappedAddress
		if m.Decode() == nil && m.Type == stun.BindingSuccess && address.GetFrom(m) == nil {
			return address.String()
		}
	}
}

// waitClosed waits until the server closes the connection.
func (c *rawTCP) waitClosed() {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 1)
	for {
		if _, err := c.r.Read(b); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() { //nolint:errorlint // a net.Conn's own error
				c.t.Fatal("the server does not close the connection")
			}

			return
		}
	}
}
