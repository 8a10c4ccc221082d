package sfu

import (
	"strconv"
	"strings"
)

// kind tells the two m-lines of a connection apart; it indexes arrays.
type kind uint8

const (
	audio kind = iota
	video
	kinds
)

func (k kind) String() string {
	if k == audio {
		return "audio"
	}

	return "video"
}

type codecName uint8

const (
	codecNone codecName = iota
	codecOpus
	codecVP8
	codecVP9
	codecH264
	codecAV1
	codecRED      // video with parity
	codecULPFEC   // the parity
	codecAudioRED // audio that repeats itself
)

// codec is what two sides must have in common so that one can show what the
// other sends. Two codecs are the same if they are equal.
type codec struct {
	name codecName
	// profile is the VP9 profile, or for H.264 the profile_idc and the
	// packetization mode; 0 for the others.
	profile uint16
}

func (c codec) kind() kind {
	if c.name == codecOpus || c.name == codecAudioRED {
		return audio
	}

	return video
}

// clock is the rate of the RTP clock of all codecs of a kind that the relay carries.
func (k kind) clock() uint64 {
	if k == audio {
		return 48000
	}

	return 90000
}

// protects is true for what carries or protects other codecs.
func (c codec) protects() bool { return c.name >= codecRED }

// newCodec reads a MIME type and format parameters; the name is codecNone for
// a codec that the relay does not carry.
func newCodec(mime, fmtp string) codec {
	switch strings.ToLower(mime) {
	case "audio/opus":
		return codec{name: codecOpus}
	case "video/vp8":
		return codec{name: codecVP8}
	case "video/vp9":
		profile, _ := strconv.ParseUint(parameter(fmtp, "profile-id"), 10, 8)

		return codec{name: codecVP9, profile: uint16(profile)}
	case "video/av1":
		return codec{name: codecAV1}
	case "video/red":
		return codec{name: codecRED}
	case "video/ulpfec":
		return codec{name: codecULPFEC}
	case "audio/red":
		return codec{name: codecAudioRED}
	case "video/h264":
		mode, _ := strconv.ParseUint(parameter(fmtp, "packetization-mode"), 10, 8)
		profile := uint64(0x42) // RFC 6184 section 8.1: absent means baseline
		if level := parameter(fmtp, "profile-level-id"); len(level) == 6 {
			profile, _ = strconv.ParseUint(level[:2], 16, 8)
		}

		return codec{name: codecH264, profile: uint16(profile<<8 | mode&0xff)}
	}

	return codec{}
}

// parameter returns the value of name in a format parameter line.
func parameter(fmtp, name string) string {
	for part := range strings.SplitSeq(fmtp, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(key, name) {
			return value
		}
	}

	return ""
}

// noPayload marks an unused entry in a table of payload types, which have 7 bits.
const noPayload = 0xff

// payload is what one payload type means on a connection.
type payload struct {
	codec codec
	// rtx is true for a retransmission stream; apt is then the payload type of
	// what it repeats (RFC 4588 section 8.1).
	rtx bool
	apt uint8
	// repair is the payload type that retransmits this one, or noPayload.
	repair uint8
	// Feedback that was negotiated for it.
	nack, pli, fir, transportCC bool
}

// media is what a peer negotiated. It never changes after the first answer.
type media struct {
	payloads [128]payload
	ext      [kinds]extensions
	// sends is the codec that the peer will send, codecNone if it sends none;
	// receives says whether it wants to be sent anything.
	sends    [kinds]codec
	receives [kinds]bool
	// ssrc are the streams we send to it, repair the one that retransmits.
	ssrc   [kinds]uint32
	repair uint32
	// red and fec are the payload types of RED and of parity in it; 0 is none.
	red, fec uint8
	// remote are the SSRCs the offer declared, 0 if it did not.
	remote [kinds]uint32
}

// payloadFor returns the payload type by which this peer knows c.
func (m *media) payloadFor(c codec) uint8 {
	for pt := range m.payloads {
		if p := &m.payloads[pt]; !p.rtx && p.codec == c && c.name != codecNone {
			return uint8(pt)
		}
	}

	return noPayload
}

// wide reports whether the peer gives and takes transport-wide feedback about
// a kind.
func (m *media) wide(k kind) bool {
	if m.ext[k].transportCC == 0 {
		return false
	}
	for pt := range m.payloads {
		if p := &m.payloads[pt]; p.transportCC && p.codec.kind() == k {
			return true
		}
	}

	return false
}

// repairs reports whether the peer sends lost video again when it is asked to.
func (m *media) repairs() bool {
	pt := m.payloadFor(m.sends[video])

	return pt != noPayload && m.payloads[pt].nack
}

// retransmits reports whether the peer has a payload type that retransmits pt.
func (m *media) retransmits(pt uint8) bool {
	return int(pt) < len(m.payloads) && m.payloads[pt].repair != noPayload
}

// protects reports whether the peer knows parity for video.
func (m *media) protects() bool { return m.red != 0 && m.fec != 0 }

// compatible reports whether what each side sends can be shown by the other.
func compatible(a, b *media) bool {
	for k := range kinds {
		if !a.canShow(k, b) || !b.canShow(k, a) {
			return false
		}
	}

	return true
}

func (m *media) canShow(k kind, publisher *media) bool {
	c := publisher.sends[k]

	return c.name == codecNone || !m.receives[k] || m.payloadFor(c) != noPayload
}

// translate returns for each payload type of the publisher the one by which
// the subscriber knows the same codec, noPayload if it does not.
func translate(publisher, subscriber *media) (table [128]uint8) {
	for pt := range publisher.payloads {
		table[pt] = noPayload
		if p := &publisher.payloads[pt]; !p.rtx && p.codec.name != codecNone && subscriber.receives[p.codec.kind()] {
			table[pt] = subscriber.payloadFor(p.codec)
		}
	}

	return table
}
