package sfu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// maxTag is what SRTP and SRTCP add to a packet at most.
const maxTag = 32

var errTooLong = errors.New("the packet is too long")

// lane is one client's SRTP on the fast plane: what comes from it is opened
// and handed to its leg, what goes to it is sealed and put into a burst.
//
// Both happen in the goroutine that the packet came with, a worker's as a rule.
// Datagrams of one client can come by two sockets at once only while its path
// changes; then one of the two is dropped (see receive), so that a leg has one
// owner at a time without a lock.
type lane struct {
	leg   *leg
	count *planeCounters
	to    atomic.Pointer[destination] // nil until ICE has selected a pair

	crowd func() // called, perhaps again, when the client has too many streams

	busy     atomic.Bool // claimed by who is in receive, and guards these
	in       *srtp.Context
	header   rtp.Header
	incoming rtcp.Header
	streams  ssrcSet // whose state in holds
	reports  ssrcSet

	media sealer // the goroutine's that sends media to the client: its partner's

	repair sealer // that of who sends repairs, see repairStream

	mu       sync.Mutex // guards the two below: several goroutines send such, some ten a second
	control  *srtp.Context
	outgoing rtcp.Header

	moving sync.Mutex      // guards known and gone
	known  [2]*destination // where the client is, and was before
	gone   bool
}

// ssrcSet counts the streams that a client has, each of which costs memory.
type ssrcSet struct {
	limit int
	list  []uint32
}

// admit reports whether a stream is known or one more may be.
func (s *ssrcSet) admit(ssrc uint32) bool {
	if slices.Contains(s.list, ssrc) {
		return true
	}
	if len(s.list) == s.limit {
		return false
	}
	s.list = append(s.list, ssrc)

	return true
}

// sealer encrypts one goroutine's packets.
type sealer struct {
	context *srtp.Context
	header  rtp.Header
}

var _ sender = (*lane)(nil)

// newLane makes a lane from the keys of a finished handshake.
func newLane(l *leg, k keys, count *planeCounters, crowd func()) (*lane, error) {
	n := &lane{
		leg: l, count: count, crowd: crowd,
		streams: ssrcSet{limit: maxRTPStreams}, reports: ssrcSet{limit: maxRTCPStreams},
	}
	var err error
	n.in, err = srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, k.profile,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, fmt.Errorf("use the client's key: %w", err)
	}
	for _, c := range []**srtp.Context{&n.media.context, &n.repair.context, &n.control} {
		if *c, err = srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, k.profile); err != nil {
			return nil, fmt.Errorf("use our key: %w", err)
		}
	}

	return n, nil
}

// isMedia reports whether a datagram is SRTP or SRTCP (RFC 7983 section 7).
func isMedia(b []byte) bool { return len(b) >= rtpHeaderSize && b[0] >= 128 && b[0] < 192 }

// isControl tells SRTCP from SRTP (RFC 5761 section 4).
func isControl(b []byte) bool { return b[1] >= 192 && b[1] < 224 }

// receive opens a datagram in place and forwards what is in it. Anybody may
// call it; of two at the same time the second gives up.
func (n *lane) receive(b []byte, now time.Duration, via *burst) {
	if !n.busy.CompareAndSwap(false, true) {
		n.count.contended.Add(1)

		return
	}
	defer n.busy.Store(false)
	if isControl(b) {
		n.receiveControl(b, now, via)

		return
	}
	plain, err := n.in.DecryptRTP(b[:0], b, &n.header)
	if err != nil {
		n.count.unopened.Add(1)

		return
	}
	if !n.streams.admit(n.header.SSRC) {
		n.crowd()

		return
	}
	n.leg.receiveRTP(plain, now, via)
}

// receiveControl hands over the packets of a compound one by one (RFC 3550
// section 6.1).
func (n *lane) receiveControl(b []byte, now time.Duration, via *burst) {
	plain, err := n.in.DecryptRTCP(b[:0], b, &n.incoming)
	if err != nil {
		n.count.unopened.Add(1)

		return
	}
	if !n.reports.admit(binary.BigEndian.Uint32(plain[4:])) {
		n.crowd()

		return
	}
	for len(plain) >= 4 {
		size := 4 * (1 + int(binary.BigEndian.Uint16(plain[2:])))
		if size > len(plain) {
			n.leg.count.dropped[dropMalformed].Add(1)

			return
		}
		n.leg.receiveRTCP(plain[:size:size], now, via)
		plain = plain[size:]
	}
}

// sendRTP implements sender.
func (n *lane) sendRTP(via *burst, _ kind, b []byte) error {
	return n.seal(&n.media, via, b)
}

// sendRepair implements sender. What repeats a packet bit for bit must have the
// index that the packet had: its rollover counter is told (RFC 3711 section 3.3.1).
func (n *lane) sendRepair(via *burst, b []byte, index int64) error {
	if index != ownNumbers {
		n.repair.context.SetROC(binary.BigEndian.Uint32(b[8:]), uint32(index>>16))
	}

	return n.seal(&n.repair, via, b)
}

// seal encrypts a packet and puts it into the burst, or sends it if there is
// none or the client comes by a stream.
func (n *lane) seal(s *sealer, via *burst, b []byte) error {
	to := n.to.Load()
	if to == nil {
		return ErrClosed
	}
	if len(b) > parcelSize-maxTag {
		return errTooLong
	}
	if via != nil && to.group != nil {
		slot := via.slot(to.group)
		sealed, err := s.context.EncryptRTP(slot.b[:0], b, &s.header)
		if err != nil {
			return fmt.Errorf("encrypt a packet: %w", err)
		}
		slot.n, slot.to = len(sealed), to

		return nil
	}
	p := parcels.Get().(*parcel) //nolint:forcetypeassert // the pool has nothing else
	defer p.free()
	sealed, err := s.context.EncryptRTP(p.b[:0], b, &s.header)
	if err != nil {
		return fmt.Errorf("encrypt a packet: %w", err)
	}
	to.write(sealed)

	return nil
}

// sendRTCP implements sender.
func (n *lane) sendRTCP(via *burst, b []byte) error {
	to := n.to.Load()
	if to == nil {
		return ErrClosed
	}
	if len(b) > parcelSize-maxTag {
		return errTooLong
	}
	p := parcels.Get().(*parcel) //nolint:forcetypeassert // the pool has nothing else
	defer p.free()
	n.mu.Lock()
	sealed, err := n.control.EncryptRTCP(p.b[:0], b, &n.outgoing)
	n.mu.Unlock()
	if err != nil {
		return fmt.Errorf("encrypt feedback: %w", err)
	}
	if via != nil && to.group != nil {
		slot := via.slot(to.group)
		slot.n, slot.to = copy(slot.b[:], sealed), to
	} else {
		to.write(sealed)
	}

	return nil
}

// move says where the client is from now on. What still comes from the place
// before is taken too, until it moves again.
func (n *lane) move(to *destination) {
	n.moving.Lock()
	defer n.moving.Unlock()
	if n.gone {
		return
	}
	if old := n.known[1]; old != nil && !old.same(to) {
		old.forget(n)
	}
	if n.known[0] == nil || !n.known[0].same(to) {
		n.known[0], n.known[1] = to, n.known[0]
	}
	if to.group != nil {
		to.group.table.add(to.addr, n)
	}
	n.to.Store(to)
}

// close takes the lane's addresses out of the tables.
func (n *lane) close() {
	n.moving.Lock()
	defer n.moving.Unlock()
	n.gone = true
	for _, d := range n.known {
		if d != nil {
			d.forget(n)
		}
	}
}
