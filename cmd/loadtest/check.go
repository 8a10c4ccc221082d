package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// credentials are one side's for ICE (RFC 8445 section 5.3).
type credentials struct{ ufrag, password string }

func newCredentials() credentials {
	return credentials{ufrag: rand.Text()[:8], password: rand.Text()}
}

// checker makes a client's connectivity checks over the one pair of addresses
// that a connected socket is: it is the controlling side and nominates at once,
// and goes on for consent (RFC 7675). An agent of Pion's does the same with five
// goroutines a client. The pump's lock guards it.
type checker struct {
	local, remote credentials
	peer          netip.AddrPort // the other end of the socket
	tie           uint64
	// id is what all transactions begin with; their number follows.
	id    [8]byte
	count uint32
	valid chan struct{} // closed at the first answer
	heard time.Duration // when the last answer came; 0 is never
}

func newChecker(local, remote credentials, peer netip.AddrPort) *checker {
	c := &checker{local: local, remote: remote, peer: peer, valid: make(chan struct{})}
	_, _ = rand.Read(c.id[:]) // never fails
	c.tie = binary.BigEndian.Uint64(c.id[:])

	return c
}

// done says whether the pair has proven itself.
func (k *checker) done() bool { return k.heard != 0 }

// check sends one request.
func (k *checker) check(fd int) {
	var id [stun.TransactionIDSize]byte
	copy(id[:], k.id[:])
	k.count++
	binary.BigEndian.PutUint32(id[8:], k.count)
	m, err := stun.Build(stun.NewTransactionIDSetter(id), stun.BindingRequest,
		stun.NewUsername(k.remote.ufrag+":"+k.local.ufrag),
		ice.UseCandidate(), ice.AttrControlling(k.tie), ice.PriorityAttr(1<<24-1),
		stun.NewShortTermIntegrity(k.remote.password), stun.Fingerprint)
	if err == nil {
		_ = write(fd, m.Raw) // lost, as a datagram may be
	}
}

// receive takes a STUN message: the answer to a check, or a check of the other
// side's, which is answered.
func (k *checker) receive(fd int, b []byte, now time.Duration) {
	m := &stun.Message{Raw: bytes.Clone(b)}
	if m.Decode() != nil {
		return
	}
	switch m.Type {
	case stun.BindingSuccess:
		if !bytes.Equal(m.TransactionID[:8], k.id[:]) || stun.NewShortTermIntegrity(k.remote.password).Check(m) != nil {
			return
		}
		if k.heard == 0 {
			close(k.valid)
		}
		k.heard = max(now, 1)
	case stun.BindingRequest:
		if stun.NewShortTermIntegrity(k.local.password).Check(m) != nil {
			return
		}
		answer, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
			&stun.XORMappedAddress{IP: k.peer.Addr().AsSlice(), Port: int(k.peer.Port())},
			stun.NewShortTermIntegrity(k.local.password), stun.Fingerprint)
		if err == nil {
			_ = write(fd, answer.Raw)
		}
	}
}
