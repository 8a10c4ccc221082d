package sfu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// join puts clients into a room and waits until they are connected.
func join(t *testing.T, room string, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		if err := c.peer.Join(room); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range clients {
		c.waitState(stateConnected)
		served(t, c)
	}
}

// unbroken checks that what a client received is one stream: sequence numbers
// without gap or repeat, timestamps that never go back, one SSRC.
func unbroken(t *testing.T, k kind, packets []rtp.Packet) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		before, p := &packets[i-1], &packets[i]
		if p.SequenceNumber != before.SequenceNumber+1 {
			t.Fatalf("%s packet %d: sequence %d after %d", k, i, p.SequenceNumber, before.SequenceNumber)
		}
		if int32(p.Timestamp-before.Timestamp) < 0 {
			t.Fatalf("%s packet %d: timestamp %d after %d", k, i, p.Timestamp, before.Timestamp)
		}
		if p.SSRC != before.SSRC {
			t.Fatalf("%s packet %d: SSRC %d after %d", k, i, p.SSRC, before.SSRC)
		}
		if sentBy(p) != sentBy(before) && p.Timestamp == before.Timestamp {
			t.Fatalf("%s packet %d: the new partner begins at the old one's timestamp", k, i)
		}
	}
}

// TestPartnerSwitch: A meets B, then C, on the same connection.
func TestPartnerSwitch(t *testing.T) {
	e := newTestEngine(t)
	var clients []*client
	for range 3 {
		clients = append(clients, newClient(t, e, clientConfig{}))
	}
	a, b, c := clients[0], clients[1], clients[2]
	stop := startTalking(clients...)
	join(t, "first", a, b)
	c.waitState(stateConnected)
	a.waitFrom(video, 'B', 30)
	b.waitFrom(video, 'A', 30)
	a.peer.Leave()
	join(t, "second", a, c)
	a.waitFrom(video, 'C', 60)
	c.waitFrom(video, 'A', 60)
	stop()
	for _, k := range []kind{audio, video} {
		got := a.packets(k)
		unbroken(t, k, got)
		unbroken(t, k, c.packets(k))
		if i := slices.IndexFunc(got, func(p rtp.Packet) bool { return sentBy(&p) == 'C' }); i >= 0 {
			if slices.ContainsFunc(got[i:], func(p rtp.Packet) bool { return sentBy(&p) == 'B' }) {
				t.Errorf("%s of the old partner came after the new one's", k)
			}
			if k == video && !vp8KeyFrame(got[i].Payload) {
				t.Error("the new picture does not begin with a key frame")
			}
			if k == video && len(playoutDelay(t, a, &got[i])) != 3 {
				t.Error("the new picture does not ask to be shown at once")
			}
		}
	}
	for _, cl := range clients {
		cl.close()
	}
}

func playoutDelay(t *testing.T, c *client, p *rtp.Packet) []byte {
	t.Helper()
	for _, line := range lines(c.answer, "a=extmap:") {
		var id uint8
		var uri string
		if _, err := fmt.Sscanf(line, "a=extmap:%d %s", &id, &uri); err != nil {
			t.Fatal(err)
		}
		if uri == uriPlayoutDelay {
			return p.GetExtension(id)
		}
	}

	return nil
}

// TestNothingIdentifiesThePartner: neither what a client is sent, nor what it
// is answered, has anything of the other client in it.
func TestNothingIdentifiesThePartner(t *testing.T) {
	e := newTestEngine(t)
	a, b := newClient(t, e, clientConfig{repairs: true}), newClient(t, e, clientConfig{repairs: true})
	join(t, "room", a, b)
	stop := startTalking(a, b)
	b.waitFrom(video, 'A', 100)
	b.waitFrom(audio, 'A', 60)
	stop()
	secrets := map[uint32]bool{}
	for _, line := range lines(a.sdp, "a=ssrc:") {
		var ssrc uint32
		if _, err := fmt.Sscanf(line, "a=ssrc:%d", &ssrc); err != nil {
			t.Fatal(err)
		}
		secrets[ssrc] = true
	}
	ids := map[uint8]bool{}
	for _, line := range lines(b.answer, "a=extmap:") {
		var id uint8
		var uri string
		if _, err := fmt.Sscanf(line, "a=extmap:%d %s", &id, &uri); err != nil {
			t.Fatal(err)
		}
		// Feedback is about the numbers; they cross with a constant added.
		ids[id] = uri == uriAbsSendTime || uri == uriPlayoutDelay || uri == uriTransportCC
	}
	for _, p := range append(b.packets(video), b.packets(audio)...) {
		if secrets[p.SSRC] {
			t.Fatalf("the publisher's SSRC %d crossed", p.SSRC)
		}
		for _, id := range p.GetExtensionIDs() {
			if !ids[id] {
				t.Fatalf("header extension %d crossed", id)
			}
		}
	}
	for _, p := range b.controlPackets() {
		for _, ssrc := range p.DestinationSSRC() {
			if secrets[ssrc] {
				t.Fatalf("%T names the publisher's SSRC %d", p, ssrc)
			}
		}
		if d, ok := p.(*rtcp.SourceDescription); ok && d.Chunks[0].Items[0].Text != cname {
			t.Fatalf("the publisher's CNAME crossed: %v", d)
		}
	}
	for _, secret := range []string{"secret-track", "secret-stream"} {
		if strings.Contains(b.answer, secret) {
			t.Errorf("the answer contains %q", secret)
		}
	}
	a.close()
	b.close()
}

func (c *client) controlPackets() []rtcp.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()

	return slices.Clone(c.control)
}

// TestRestart: an ICE restart is the one second offer that is answered, and
// the call goes on.
func TestRestart(t *testing.T) {
	e := newTestEngine(t)
	a, b := newClient(t, e, clientConfig{}), newClient(t, e, clientConfig{})
	join(t, "room", a, b)
	stop := startTalking(a, b)
	b.waitFrom(video, 'A', 20)
	var refused *Error
	if _, err := a.peer.Answer(a.sdp); !errors.As(err, &refused) || refused.Code() != codeRejected {
		t.Errorf("the same offer again: %v", err)
	}
	if _, err := a.peer.Answer(b.sdp); !errors.As(err, &refused) || refused.Code() != codeRejected {
		t.Errorf("another connection's offer: %v", err)
	}
	before := a.answer
	a.negotiate(nil, &webrtc.OfferOptions{ICERestart: true})
	for _, what := range []string{"a=ssrc:", "a=fingerprint:", "a=mid:"} {
		if !slices.Equal(lines(before, what), lines(a.answer, what)) {
			t.Errorf("%s changed:\n%v\n%v", what, lines(before, what), lines(a.answer, what))
		}
	}
	if slices.Equal(lines(before, "a=ice-ufrag:"), lines(a.answer, "a=ice-ufrag:")) {
		t.Error("the restart has the old ICE credentials")
	}
	b.waitFrom(video, 'A', len(b.packets(video))+100)
	a.waitFrom(video, 'B', 100)
	stop()
	a.close()
	b.close()
}

// TestNoCodecInCommon: a pair that cannot see each other is told, and is not a pair.
func TestNoCodecInCommon(t *testing.T) {
	only := func(mime string) func(*webrtc.MediaEngine) error {
		return func(m *webrtc.MediaEngine) error {
			opus := webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			}}
			picture := webrtc.RTPCodecParameters{PayloadType: 120, RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: mime, ClockRate: 90000,
			}}

			return errors.Join(m.RegisterCodec(opus, webrtc.RTPCodecTypeAudio), m.RegisterCodec(picture, webrtc.RTPCodecTypeVideo))
		}
	}
	e := newTestEngine(t)
	a := newClient(t, e, clientConfig{codecs: only(webrtc.MimeTypeVP8)})
	b := newClient(t, e, clientConfig{codecs: only(webrtc.MimeTypeAV1)})
	if err := a.peer.Join("room"); err != nil {
		t.Fatal(err)
	}
	var failed *Error
	if err := b.peer.Join("room"); !errors.As(err, &failed) || failed.Code() != codeMedia {
		t.Errorf("join: %v, want media_failed", err)
	}
	c := newClient(t, e, clientConfig{codecs: only(webrtc.MimeTypeVP8)})
	if err := c.peer.Join("room"); err != nil {
		t.Errorf("somebody who can: %v", err)
	}
	d := newClient(t, e, clientConfig{})
	if err := d.peer.Join("room"); !errors.As(err, &failed) || failed.Code() != codeInternal {
		t.Errorf("a third: %v, want internal", err)
	}
	for _, cl := range []*client{a, b, c, d} {
		cl.close()
	}
}

// TestClose: a client that goes ends its peer, and a closed peer refuses.
func TestClose(t *testing.T) {
	e := newTestEngine(t)
	a, b := newClient(t, e, clientConfig{}), newClient(t, e, clientConfig{})
	join(t, "room", a, b)
	a.close() // as a closing tab does: DTLS says goodbye
	<-a.peer.Done()
	if state, _ := a.peer.State(); state != stateFailed {
		t.Errorf("state is %q", state)
	}
	if s := e.Stats(); s.Pairs != 0 || s.Peers != 1 {
		t.Errorf("stats are %+v", s)
	}
	for range 2 {
		if err := b.peer.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := b.peer.Join("room"); !errors.Is(err, ErrClosed) {
		t.Errorf("join after close: %v", err)
	}
	if _, err := b.peer.Answer(b.sdp); err == nil {
		t.Error("a closed peer answers")
	}
	b.close()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.NewPeer(); !errors.Is(err, ErrClosed) {
		t.Errorf("new peer after close: %v", err)
	}
}

// TestStreamStorm: a client that makes up streams without end is dropped. It
// goes on until then: what comes before the server has the keys, or while the
// socket's buffer is full, is lost.
func TestStreamStorm(t *testing.T) {
	e := newTestEngine(t)
	a := newClient(t, e, clientConfig{})
	<-a.connected
	for ssrc := uint32(0); ; ssrc++ {
		select {
		case <-a.peer.Done():
			a.close()

			return
		case <-time.After(time.Millisecond):
		}
		if ssrc == 100*maxRTCPStreams {
			t.Fatalf("still served after %d streams", ssrc)
		}
		// An error says that the server has taken its leave already.
		_ = a.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: ssrc, MediaSSRC: ssrc}})
	}
}
