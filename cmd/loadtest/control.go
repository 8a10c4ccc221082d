package main

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
)

// packet sorts out a datagram by its first byte (RFC 7983).
func (c *client) packet(b []byte, now time.Duration) {
	if c.channel != 0 {
		b = openChannel(b)
	}
	if len(b) < 12 {
		return
	}
	switch {
	case b[0] < 4:
		if c.ice != nil {
			c.ice.receive(c.fd, b, now)
		}
	case b[0] >= 20 && b[0] < 64:
		if c.inbox != nil {
			_, _ = c.inbox.Write(b) // full: lost, as a datagram may be
		}
	case b[0] < 128 || b[0] > 191:
	case b[1] >= 192 && b[1] < 224: // RFC 5761 section 4
		c.control(b)
	default:
		c.rtp(b, now)
	}
}

// control looks for what a publisher must answer: the wish for a key frame.
func (c *client) control(b []byte) {
	if c.open != nil {
		plain, err := c.open.DecryptRTCP(c.pump.plain[:0], b, nil)
		if err != nil {
			c.faults.Decrypt++

			return
		}
		b = plain
	}
	for len(b) >= 4 {
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return
		}
		if format := b[0] & 0x1f; b[1] == byte(rtcp.TypePayloadSpecificFeedback) && (format == rtcp.FormatPLI || format == rtcp.FormatFIR) {
			c.wantKey = true
		}
		b = b[size:]
	}
}

// report sends what a receiver owes: transport-wide feedback if the packets are
// numbered for it, else a receiver report.
func (c *client) report(time.Duration) {
	if c.sending == silent {
		return
	}
	var list []rtcp.Packet
	if c.reported {
		c.reported = false
		list = c.arrivals.BuildFeedbackPacket()
	} else if s := &c.in[video]; s.n > 0 {
		list = []rtcp.Packet{&rtcp.ReceiverReport{SSRC: c.out[video].ssrc, Reports: []rtcp.ReceptionReport{{SSRC: s.ssrc}}}}
	}
	for _, p := range list {
		b, err := p.Marshal()
		if err != nil {
			continue
		}
		room := c.pump.sealed[0]
		head := c.channelHeader(room)
		if c.seal == nil {
			b = append(room[:head], b...)
		} else if b, err = c.seal.EncryptRTCP(room[head:head], b, nil); err != nil {
			c.faults.Decrypt++

			continue
		} else {
			b = room[:head+len(b)]
		}
		c.pump.packets[0] = c.closeChannel(b)
		c.pump.batch.send(c.fd, c.pump.packets[:1])
	}
}
