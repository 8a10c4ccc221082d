package sfu

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxDatagram is the largest datagram taken from TCP or TURN; what WebRTC
// sends is made to fit into an Ethernet frame.
const maxDatagram = 1600

var errFrameTooLong = errors.New("frame longer than any datagram")

// readFrame reads the next frame of RFC 4571, a datagram behind two bytes of
// length, into b. It returns 0 for an empty frame, which is allowed and means
// nothing, and errFrameTooLong for one that is longer than b.
func readFrame(r *bufio.Reader, b []byte) (int, error) {
	var head [2]byte
	for i := range head {
		c, err := r.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("read the length of a frame: %w", err)
		}
		head[i] = c
	}
	size := int(binary.BigEndian.Uint16(head[:]))
	if size > len(b) {
		return 0, errFrameTooLong
	}
	if _, err := io.ReadFull(r, b[:size]); err != nil {
		return 0, fmt.Errorf("read a frame: %w", err)
	}

	return size, nil
}
