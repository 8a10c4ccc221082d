package sfu

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

// written is the end of a track: it marshals as Pion's SRTP session does.
type written struct{ b []byte }

func (w *written) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	_, size := rtp.HeaderAndPacketMarshalSize(h, payload) //nolint:staticcheck // what the session calls
	w.b = make([]byte, size)

	return rtp.MarshalPacketTo(w.b, h, payload) //nolint:staticcheck // what the session calls
}

func (w *written) Write([]byte) (int, error) { return 0, nil }

// TestTrackKeepsPackets: what goes into a track comes out of it, padding too.
func TestTrackKeepsPackets(t *testing.T) {
	out := &written{}
	tr := &track{kind: video}
	tr.context.Store(&boundTrack{stream: out})
	for i, b := range [][]byte{
		raw{pt: 96, seq: 1, ext: []byte{0x31, 1, 2}}.bytes(1, 2, 3),
		raw{pt: 97, seq: 2, ext: []byte{0x31, 1, 2}, pad: 200}.bytes(),
		raw{pt: 97, seq: 3, pad: 1}.bytes(),
		raw{pt: 96, seq: 4}.bytes(9),
	} {
		if err := tr.write(&tr.media, b); err != nil || !bytes.Equal(out.b, b) {
			t.Errorf("packet %d: %v, %x became %x", i, err, b, out.b)
		}
	}
	if err := (&track{}).write(&tr.media, raw{}.bytes()); err == nil {
		t.Error("wrote to a track that is not bound")
	}
}
