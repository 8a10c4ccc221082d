package sfu

import (
	"fmt"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// streamID names the one MediaStream that a client receives for its whole life.
const streamID = "smalltalk"

// track is what a PeerConnection sends from: it records what was negotiated
// and writes raw packets, of any payload type and SSRC, into the SRTP session.
type track struct {
	kind    kind
	context atomic.Pointer[boundTrack]
	// Two goroutines write: the partner's media goroutine and this peer's
	// control goroutine. Each has a header of its own to parse into.
	media, repair rtp.Header
}

// boundTrack is what Bind was told.
type boundTrack struct {
	ssrc, repair uint32
	stream       webrtc.TrackLocalWriter
}

var _ webrtc.TrackLocal = (*track)(nil)

// Bind implements webrtc.TrackLocal.
func (t *track) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := ctx.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	t.context.Store(&boundTrack{
		ssrc: uint32(ctx.SSRC()), repair: uint32(ctx.SSRCRetransmission()), stream: ctx.WriteStream(),
	})

	return codecs[0], nil
}

// Unbind implements webrtc.TrackLocal. The stream stays: a write to a closed
// session is refused by the session.
func (t *track) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID implements webrtc.TrackLocal.
func (t *track) ID() string { return t.kind.String() }

// RID implements webrtc.TrackLocal.
func (t *track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal; Pion also puts it into the SDP as CNAME.
func (t *track) StreamID() string { return streamID }

// Kind implements webrtc.TrackLocal.
func (t *track) Kind() webrtc.RTPCodecType {
	if t.kind == audio {
		return webrtc.RTPCodecTypeAudio
	}

	return webrtc.RTPCodecTypeVideo
}

// write sends the packet b, parsed into h.
func (t *track) write(h *rtp.Header, b []byte) error {
	bound := t.context.Load()
	if bound == nil {
		return ErrClosed
	}
	n, err := h.Unmarshal(b)
	if err != nil {
		return fmt.Errorf("parse outgoing packet: %w", err)
	}
	payload := b[n:]
	h.PaddingSize = 0
	if size := len(payload); h.Padding && size > 0 {
		h.PaddingSize = payload[size-1]
		payload = payload[:max(0, size-int(h.PaddingSize))]
	}
	_, err = bound.stream.WriteRTP(h, payload)

	return err
}
