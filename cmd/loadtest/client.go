package main

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v4/packetio"
)

// openEvery is how many packets there are to one that is really decrypted; the
// others are checked by their headers, since decrypting all would cost more
// than the server does.
const openEvery = 32

// sending says how much media a client gives.
type sending uint8

const (
	silent  sending = iota
	trickle         // what an encoder that is kept awake sends, some 60 kb/s
	full
)

// trickleEvery is how many frames there are to one that is sent while waiting.
const trickleEvery = 4

// inStream is what a client knows of a stream that it receives.
type inStream struct {
	ssrc  uint32 // of the first packet; it may never change
	n     int
	known bool // sender and shift are known
	// sender is the slot of the client that sends, as the last decrypted packet
	// said; shift is by how much the relay has moved its sequence numbers.
	sender uint32
	shift  uint16
}

// faults are what must never happen to a client's packets.
type faults struct {
	Header  uint64 `json:"header"`  // foreign SSRC, unknown sequence number, not RTP
	Decrypt uint64 `json:"decrypt"` // authentication failed or a foreign payload
	Stray   uint64 `json:"stray"`   // media of somebody who is not the partner
}

func (f *faults) add(o faults) {
	f.Header += o.Header
	f.Decrypt += o.Decrypt
	f.Stray += o.Stray
}

func (f faults) total() uint64 { return f.Header + f.Decrypt + f.Stray }

// client is one virtual user's media. All but the socket belongs to the pump's
// lock.
type client struct {
	pump *pump
	slot int
	fd   int
	// channel is the TURN channel that packets travel in, 0 without one.
	channel uint16
	ice     *checker         // nil without ICE
	inbox   *packetio.Buffer // DTLS for its goroutine; nil without

	seal, open *srtp.Context // nil: media is not encrypted, only as long as if it were
	out        [kinds]outStream
	in         [kinds]inStream
	transport  uint16
	arrivals   *twcc.Recorder
	reported   bool // arrivals has something new
	sending    sending
	wantKey    bool
	frames     int
	// partner is the slot whose media may arrive, -1 for anybody's.
	partner int
	talk    talk
	faults  faults
	opened  uint64
}

// frame sends one frame of video.
func (c *client) frame(now time.Duration) {
	packets := framePackets
	c.frames++
	if c.sending == trickle {
		if c.frames%trickleEvery != 0 {
			return
		}
		packets = 1
	}
	s := &c.out[video]
	s.ts += frameTicks
	first, list := s.seq, c.pump.packets[:packets]
	for i := range list {
		plain := c.pump.plain[:videoSize]
		s.write(plain, video, uint32(c.slot), c.nextTransport(), i == packets-1, i == 0, i == 0 && c.wantKey)
		list[i] = c.protect(c.pump.sealed[i], plain)
	}
	c.wantKey = false
	c.transmit(video, first, list, now)
}

// sound sends one packet of audio.
func (c *client) sound(now time.Duration) {
	s := &c.out[audio]
	s.ts += audioTicks
	plain, first, list := c.pump.plain[:audioSize], s.seq, c.pump.packets[:1]
	s.write(plain, audio, uint32(c.slot), c.nextTransport(), false, false, false)
	list[0] = c.protect(c.pump.sealed[0], plain)
	c.transmit(audio, first, list, now)
}

func (c *client) nextTransport() uint16 {
	c.transport++

	return c.transport
}

// transmit sends packets of a stream, the first of which is seq.
func (c *client) transmit(k kind, seq uint16, list [][]byte, due time.Duration) {
	for _, b := range list {
		if b == nil {
			c.faults.Decrypt++

			return
		}
	}
	p := c.pump
	now := p.now()
	p.window.late(now - due)
	// Remembered before it is sent: on loopback a packet is there at once.
	for i := range list {
		c.out[k].remember(seq+uint16(i), now)
	}
	p.window.sent(now, len(list))
	p.lost += uint64(len(list) - p.batch.send(c.fd, list))
}

// protect makes of a packet what goes over the network; nil if that failed.
func (c *client) protect(room, plain []byte) []byte {
	head := c.channelHeader(room)
	if c.seal == nil {
		size := head + copy(room[head:], plain) + tagSize

		return c.closeChannel(room[:size])
	}
	b, err := c.seal.EncryptRTP(room[head:head], plain, &c.pump.header)
	if err != nil {
		return nil
	}

	return c.closeChannel(room[:head+len(b)])
}

// rtp takes a packet that has arrived at now.
func (c *client) rtp(b []byte, now time.Duration) {
	h, err := readHeader(b)
	if err != nil {
		c.faults.Header++

		return
	}
	s := &c.in[h.kind]
	if s.n++; s.n == 1 {
		s.ssrc = h.ssrc
	}
	if s.ssrc != h.ssrc {
		c.faults.Header++

		return
	}
	if h.transport >= 0 {
		c.arrivals.Record(h.ssrc, uint16(h.transport), now.Microseconds())
		c.reported = true
	}
	if !s.known || s.n%c.pump.openEvery == 0 {
		if !c.look(b, h, s) {
			c.faults.Decrypt++

			return
		}
		c.talk.heard(int(s.sender), h.kind, now)
	}
	c.credit(h, s, now)
}

// look decrypts a packet and learns from it who sends and how the relay has
// renumbered.
func (c *client) look(b []byte, h rtpHeader, s *inStream) bool {
	payload := b[h.size:]
	if c.open != nil {
		// In place: nobody needs the packet any more.
		plain, err := c.open.DecryptRTP(b[:0], b, &c.pump.header)
		if err != nil {
			return false
		}
		payload = plain[h.size:]
	}
	said, err := readBody(payload)
	if err != nil {
		return false
	}
	c.opened++
	s.known, s.sender, s.shift = true, said.sender, h.seq-said.seq
	if c.partner >= 0 && int(said.sender) != c.partner {
		c.faults.Stray++
	}

	return true
}

// credit finds the packet among those that its sender remembers.
func (c *client) credit(h rtpHeader, s *inStream, now time.Duration) {
	from := c.pump.at(int(s.sender))
	if from == nil {
		return // its sender has gone meanwhile
	}
	p := from.out[h.kind].lookup(h.seq - s.shift)
	switch {
	case p == nil:
		c.faults.Header++
	case p.got:
		c.pump.window.again(p.at)
	default:
		p.got = true
		c.pump.window.arrived(p.at, now)
	}
}

// newClient registers a client on a connected socket, which belongs to the
// client from then on. Without ice there is neither ICE nor DTLS.
func newClient(p *pump, fd int, ssrc [kinds]uint32, ice *checker) (*client, error) {
	c := &client{pump: p, fd: fd, ice: ice, partner: -1, wantKey: true, arrivals: twcc.NewRecorder(ssrc[video])}
	for k := range kinds {
		c.out[k].ssrc = ssrc[k]
	}
	if ice != nil {
		c.inbox = packetio.NewBuffer()
	}
	if err := p.add(c); err != nil {
		return nil, err
	}

	return c, nil
}

// newSSRCs makes up names for a client's streams.
func newSSRCs() (ssrc [kinds]uint32) {
	var random [4 * kinds]byte
	_, _ = rand.Read(random[:]) // never fails
	for k := range ssrc {
		ssrc[k] = binary.BigEndian.Uint32(random[4*k:]) | 1
	}

	return ssrc
}

// close takes the client off the pump and closes its socket.
func (c *client) close() error {
	c.pump.remove(c)
	if c.inbox != nil {
		_ = c.inbox.Close() // a buffer in memory
	}

	return closeSocket(c.fd)
}
