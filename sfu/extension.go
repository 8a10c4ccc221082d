package sfu

import "time"

// URIs of the header extensions that the relay knows. Everything else is
// refused in the answer, and stripped if a client sends it all the same.
const (
	uriTransportCC  = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	uriAbsSendTime  = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
	uriPlayoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	uriOrientation  = "urn:3gpp:video-orientation"
	uriAudioLevel   = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
)

const (
	profileOneByte = 0xbede
	profileTwoByte = 0x1000
	// maxOneByteID is the largest id that the one byte form can carry. An
	// extension with a larger id is not sent; browsers number from 1.
	maxOneByteID = 14
)

// extensions are the negotiated ids of one m-line; 0 means not negotiated.
type extensions struct {
	transportCC, absSendTime, playoutDelay, orientation, audioLevel uint8
}

// set records the id of uri.
func (e *extensions) set(uri string, id int) {
	if id < 1 || id > maxOneByteID {
		return
	}
	switch uri {
	case uriTransportCC:
		e.transportCC = uint8(id)
	case uriAbsSendTime:
		e.absSendTime = uint8(id)
	case uriPlayoutDelay:
		e.playoutDelay = uint8(id)
	case uriOrientation:
		e.orientation = uint8(id)
	case uriAudioLevel:
		e.audioLevel = uint8(id)
	}
}

// find returns the extension with this id, or nil (RFC 8285 sections 4.2, 4.3).
func (p *packet) find(id uint8) []byte {
	if id == 0 {
		return nil
	}
	twoByte := p.profile&0xfff0 == profileTwoByte
	if p.profile != profileOneByte && !twoByte {
		return nil
	}
	for b := p.ext; len(b) > 0; {
		if b[0] == 0 {
			b = b[1:]

			continue
		}
		var got uint8
		var size, head int
		if twoByte {
			if len(b) < 2 {
				return nil
			}
			got, size, head = b[0], int(b[1]), 2
		} else {
			got, size, head = b[0]>>4, int(b[0]&0x0f)+1, 1
			if got == 15 {
				return nil
			}
		}
		if len(b) < head+size {
			return nil
		}
		if got == id {
			return b[head : head+size]
		}
		b = b[head+size:]
	}

	return nil
}

// playout is a wish to the receiver's jitter buffer.
type playout uint8

const (
	playoutNone playout = iota
	playoutNow          // min 0, max 0: show at once
	playoutFree         // min 0, max 10 s: the receiver's own choice again
)

// element is one header extension to be written.
type element struct {
	id   uint8
	size uint8
	data [3]byte
}

const (
	// maxElements is how many header extensions a packet goes out with at most.
	maxElements = 5
	// maxHeader is the most that there is before the payload of such a packet: the
	// RTP header, the extensions in their block, and the head of RED.
	maxHeader = rtpHeaderSize + 4 + maxElements*(1+len(element{}.data)) + 1
)

// outExtensions collects the header extensions of one outgoing packet. Only
// what the server itself states (send time, playout delay), what the picture
// needs (orientation, audio level) and the number that feedback is about goes
// out: nothing of the sender's clocks.
type outExtensions struct {
	elements [maxElements]element
	n        int
}

func (o *outExtensions) add(id uint8, data ...byte) {
	if id == 0 || len(data) == 0 || len(data) > len(o.elements[0].data) {
		return
	}
	e := &o.elements[o.n]
	e.id, e.size = id, uint8(copy(e.data[:], data))
	o.n++
}

// number writes the transport-wide number of a packet.
func (o *outExtensions) number(out *extensions, n uint16) {
	o.add(out.transportCC, byte(n>>8), byte(n))
}

// sendTime writes the server's time, for a receiver that estimates by it.
func (o *outExtensions) sendTime(out *extensions, now time.Duration) {
	t := absSendTime(now)
	o.add(out.absSendTime, byte(t>>16), byte(t>>8), byte(t))
}

// fill decides what else goes out with p, from a publisher who negotiated
// `in`, to a subscriber who negotiated `out`.
func (o *outExtensions) fill(p *packet, in, out *extensions, delay playout) {
	switch delay {
	case playoutNow:
		o.add(out.playoutDelay, 0, 0, 0)
	case playoutFree:
		o.add(out.playoutDelay, 0, 0x03, 0xe8) // two 12 bit counts of 10 ms
	case playoutNone:
	}
	if v := p.find(in.orientation); len(v) == 1 {
		o.add(out.orientation, v[0]&0x0f) // the rest is reserved (3GPP TS 26.114 section 7.4.5)
	}
	if v := p.find(in.audioLevel); len(v) == 1 {
		o.add(out.audioLevel, v[0])
	}
}

// append writes the extension block in its one byte form.
func (o *outExtensions) append(b []byte) []byte {
	size := 0
	for i := range o.n {
		size += 1 + int(o.elements[i].size)
	}
	words := (size + 3) / 4
	b = append(b, profileOneByte>>8, profileOneByte&0xff, 0, byte(words))
	for i := range o.n {
		e := &o.elements[i]
		b = append(b, e.id<<4|(e.size-1))
		b = append(b, e.data[:e.size]...)
	}
	for ; size < 4*words; size++ {
		b = append(b, 0)
	}

	return b
}

// blank overwrites an extension, of the one byte form, with padding.
func (p *packet) blank(id uint8) {
	if v := p.find(id); v != nil && p.profile == profileOneByte {
		at := cap(p.ext) - cap(v) // v is a part of ext
		clear(p.ext[at-1 : at+len(v)])
	}
}

// absSendTime is t as seconds in 6.18 bit fixed point.
func absSendTime(t time.Duration) uint32 {
	return uint32(ticks(t, 1<<18)) & 0xffffff
}
