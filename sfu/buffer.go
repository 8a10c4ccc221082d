package sfu

import (
	"io"

	"github.com/pion/transport/v4/packetio"
)

const (
	// A client has four streams of its own and reports on three of ours. One
	// that names very many is after our memory: Pion keeps some for each.
	maxRTPStreams  = 16
	maxRTCPStreams = 64
)

// buffer is where Pion's SRTP or SRTCP session puts the decrypted packets of
// one SSRC. It keeps none: Write is the forwarding path itself, called in the
// session's goroutine, and there is never anything to Read.
type buffer struct {
	receive func([]byte)
}

// newBuffer is the peer's BufferFactory. Pion calls it under its own lock.
func (p *Peer) newBuffer(t packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	if t == packetio.RTPBufferPacket {
		if p.rtpStreams.Add(1) > maxRTPStreams {
			p.closeSoon("too many streams")
		}

		return buffer{receive: p.receiveRTP}
	}
	if p.rtcpStreams.Add(1) > maxRTCPStreams {
		p.closeSoon("too many control streams")
	}

	return buffer{receive: p.receiveRTCP}
}

// Write implements io.Writer.
func (b buffer) Write(packet []byte) (int, error) {
	b.receive(packet)

	return len(packet), nil
}

// Read implements io.Reader. It says at once that the stream has ended, so
// that none of Pion's goroutines waits here for what never comes.
func (b buffer) Read([]byte) (int, error) { return 0, io.EOF }

// Close implements io.Closer.
func (b buffer) Close() error { return nil }

func (p *Peer) receiveRTP(b []byte) {
	if p.servedBy(planePion) {
		p.leg.receiveRTP(b, p.engine.now(), nil)
	}
}

// servedBy reports whether a plane serves the peer. What comes before that is
// decided is dropped; so is what Pion is shown of the fast plane's, see lane.show.
func (p *Peer) servedBy(plane string) bool {
	served := p.served.Load()
	if served == nil {
		p.engine.plane.count.early.Add(1)
	}

	return served != nil && *served == plane
}

// receiveRTCP drops repeats: Pion splits compounds and hands each packet to
// the buffer of every SSRC it mentions, one after the other, in one goroutine.
func (p *Peer) receiveRTCP(b []byte) {
	if len(b) == 0 || (len(p.lastRTCP) > 0 && &p.lastRTCP[0] == &b[0]) {
		return
	}
	p.lastRTCP = b // Pion made it for us and does not use it again
	if p.servedBy(planePion) {
		p.leg.receiveRTCP(b, p.engine.now(), nil)
	}
}
