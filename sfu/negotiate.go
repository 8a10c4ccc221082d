package sfu

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/webrtc/v4"
)

var errNotNegotiated = errors.New("no codec in common with the server")

// mediaEngine lists what the relay carries. A fresh one is made for each peer,
// because Pion keeps the result of the negotiation in it.
func mediaEngine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	// Its parameters are wishes of who receives (RFC 7587 section 6.1), and the
	// client's are answered as they came. One of our own would refuse all others.
	opus := webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "transport-cc"}},
	}}
	repeated := webrtc.RTPCodecParameters{PayloadType: 63, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: "audio/red", ClockRate: 48000, Channels: 2, SDPFmtpLine: "111/111",
	}}
	if err := errors.Join(
		m.RegisterCodec(opus, webrtc.RTPCodecTypeAudio), m.RegisterCodec(repeated, webrtc.RTPCodecTypeAudio),
	); err != nil {
		return nil, fmt.Errorf("register opus: %w", err)
	}
	const h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
	for _, c := range []struct {
		pt         webrtc.PayloadType
		mime, fmtp string
	}{
		{96, webrtc.MimeTypeVP8, ""},
		{98, webrtc.MimeTypeVP9, "profile-id=0"},
		{106, webrtc.MimeTypeH264, h264 + "42e01f"},
		{102, webrtc.MimeTypeH264, h264 + "42001f"},
		{45, webrtc.MimeTypeAV1, ""},
		{116, "video/red", ""},
	} {
		if err := registerVideo(m, c.pt, c.mime, c.fmtp); err != nil {
			return nil, fmt.Errorf("register %s: %w", c.mime, err)
		}
	}
	parity := webrtc.RTPCodecParameters{PayloadType: 118, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeUlpFEC, ClockRate: 90000,
	}}
	if err := m.RegisterCodec(parity, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, fmt.Errorf("register %s: %w", parity.MimeType, err)
	}
	for _, uri := range []string{uriTransportCC, uriAbsSendTime, uriPlayoutDelay, uriOrientation, uriAudioLevel} {
		for k := range kinds {
			if k == audio && (uri == uriPlayoutDelay || uri == uriOrientation) || k == video && uri == uriAudioLevel {
				continue
			}
			ext := webrtc.RTPHeaderExtensionCapability{URI: uri}
			if err := m.RegisterHeaderExtension(ext, (&track{kind: k}).Kind()); err != nil {
				return nil, fmt.Errorf("register %s: %w", uri, err)
			}
		}
	}

	return m, nil
}

// registerVideo registers a codec and, under the next payload type, its
// retransmission. The numbers only have to be unique: the client's count.
func registerVideo(m *webrtc.MediaEngine, pt webrtc.PayloadType, mime, fmtp string) error {
	c := webrtc.RTPCodecParameters{PayloadType: pt, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: mime, ClockRate: 90000, SDPFmtpLine: fmtp,
		RTCPFeedback: []webrtc.RTCPFeedback{
			{Type: "goog-remb"}, {Type: "transport-cc"},
			{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"},
		},
	}}
	rtx := webrtc.RTPCodecParameters{PayloadType: pt + 1, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt),
	}}

	return errors.Join(m.RegisterCodec(c, webrtc.RTPCodecTypeVideo), m.RegisterCodec(rtx, webrtc.RTPCodecTypeVideo))
}

// prefer puts VP8 first, which every client has, so that any two strangers
// send what the other can show, and leaves the rest in the client's order.
func prefer(pc *webrtc.PeerConnection) error {
	for _, t := range pc.GetTransceivers() {
		if t.Kind() != webrtc.RTPCodecTypeVideo {
			continue
		}
		codecs := ordered(t.Receiver().GetParameters().Codecs)
		if len(codecs) == 0 {
			return errNotNegotiated
		}
		if err := t.SetCodecPreferences(codecs); err != nil {
			return fmt.Errorf("order the codecs: %w", err)
		}
	}

	return nil
}

// ordered puts VP8 first and each retransmission behind what it repeats; Pion
// has them in random order.
func ordered(codecs []webrtc.RTPCodecParameters) (list []webrtc.RTPCodecParameters) {
	for _, vp8 := range []bool{true, false} {
		for _, c := range codecs {
			if isRTX(c) || strings.EqualFold(c.MimeType, webrtc.MimeTypeVP8) != vp8 {
				continue
			}
			list = append(list, c)
			for _, repair := range codecs {
				if isRTX(repair) && parameter(repair.SDPFmtpLine, "apt") == strconv.Itoa(int(c.PayloadType)) {
					list = append(list, repair)
				}
			}
		}
	}

	return list
}

func isRTX(c webrtc.RTPCodecParameters) bool {
	return strings.EqualFold(c.MimeType, webrtc.MimeTypeRTX)
}

// newMedia reads what was negotiated, from the transceivers and bound tracks.
func newMedia(o *offer, transceivers []*webrtc.RTPTransceiver, tracks *[kinds]*track) (*media, error) {
	m := &media{remote: o.remote}
	for pt := range m.payloads {
		m.payloads[pt].repair = noPayload
	}
	for _, t := range transceivers {
		k := video
		if t.Kind() == webrtc.RTPCodecTypeAudio {
			k = audio
		}
		parameters := t.Receiver().GetParameters()
		first := m.addCodecs(parameters.Codecs)
		if first.name == codecNone {
			return nil, fmt.Errorf("%s: %w", k, errNotNegotiated)
		}
		if o.direction[k] != "recvonly" {
			m.sends[k] = first
		}
		for _, x := range parameters.HeaderExtensions {
			m.ext[k].set(x.URI, x.ID)
		}
		if bound := tracks[k].context.Load(); bound != nil {
			m.receives[k], m.ssrc[k] = true, bound.ssrc
			if k == video {
				m.repair = bound.repair
			}
		}
	}

	return m, nil
}

// addCodecs fills in the table of payload types and returns the first codec,
// which is the one that the client will send.
func (m *media) addCodecs(codecs []webrtc.RTPCodecParameters) (preferred codec) {
	for _, c := range codecs {
		p := payload{codec: newCodec(c.MimeType, c.SDPFmtpLine), repair: noPayload}
		if p.codec.name == codecNone || c.PayloadType > 127 {
			continue
		}
		switch {
		case p.codec.name == codecRED:
			m.red = uint8(c.PayloadType)
		case p.codec.name == codecULPFEC:
			m.fec = uint8(c.PayloadType)
		case preferred.name == codecNone && !p.codec.protects():
			preferred = p.codec
		}
		for _, f := range c.RTCPFeedback {
			switch f.Type + " " + f.Parameter {
			case "nack ":
				p.nack = true
			case "nack pli":
				p.pli = true
			case "ccm fir":
				p.fir = true
			case "transport-cc ":
				p.transportCC = true
			}
		}
		m.payloads[c.PayloadType] = p
	}
	for _, c := range codecs {
		if !isRTX(c) || c.PayloadType > 127 {
			continue
		}
		apt, err := strconv.ParseUint(parameter(c.SDPFmtpLine, "apt"), 10, 7)
		if err != nil {
			continue
		}
		if base := &m.payloads[apt]; base.codec.name != codecNone && !base.rtx {
			base.repair = uint8(c.PayloadType)
			m.payloads[c.PayloadType] = payload{codec: base.codec, rtx: true, apt: uint8(apt), repair: noPayload}
		}
	}

	return preferred
}

// tidy removes what an answer need not say: candidates for a second component,
// which RTCP multiplexing never uses.
func tidy(answer string) string {
	var b strings.Builder
	for line := range strings.Lines(answer) {
		fields := strings.Fields(line)
		if len(fields) > 1 && strings.HasPrefix(line, "a=candidate:") && fields[1] == "2" {
			continue
		}
		b.WriteString(line)
	}

	return b.String()
}
