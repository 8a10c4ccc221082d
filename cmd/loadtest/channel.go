package main

import "encoding/binary"

// channelNumber is the one TURN channel of a client that has one.
const channelNumber = 0x4000

// channelHeader begins a ChannelData message (RFC 8656 section 12.4) where the
// client has a channel, and returns how long it is.
func (c *client) channelHeader(room []byte) int {
	if c.channel == 0 {
		return 0
	}
	binary.BigEndian.PutUint16(room, c.channel)

	return 4
}

// closeChannel fills in the length of a ChannelData message.
func (c *client) closeChannel(b []byte) []byte {
	if c.channel != 0 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-4))
	}

	return b
}

// openChannel unwraps a ChannelData message; other packets stay as they are.
func openChannel(b []byte) []byte {
	if len(b) < 4 || b[0]>>6 != 1 {
		return b
	}
	if n := int(binary.BigEndian.Uint16(b[2:])); n <= len(b)-4 {
		return b[4 : 4+n]
	}

	return nil
}
