package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"github.com/pion/srtp/v3"
)

// tagSize is what AES-GCM adds to a packet, in bytes.
const tagSize = 16

// fixedKeys are what a client of a bare echo has instead of DTLS. One key for
// each direction does for all clients, as their SSRCs differ.
func fixedKeys() srtp.Config {
	key := func(fill byte, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = fill + byte(i)
		}

		return b
	}

	return srtp.Config{Profile: srtp.ProtectionProfileAeadAes128Gcm, Keys: srtp.SessionKeys{
		LocalMasterKey: key(1, 16), LocalMasterSalt: key(2, 12), RemoteMasterKey: key(3, 16), RemoteMasterSalt: key(4, 12),
	}}
}

// bareSRTP is one direction of AEAD_AES_128_GCM (RFC 7714) for media and nothing
// else: no replay window, no table of streams beyond the two that there are.
// It is what the cost of a real implementation is held against. Not safe for
// concurrent use.
type bareSRTP struct {
	aead    cipher.AEAD
	salt    [12]byte
	nonce   [12]byte
	streams [kinds]rollover
}

// rollover counts a stream's wraps of its sequence number (RFC 3711 section 3.3.1).
type rollover struct {
	ssrc  uint32
	last  uint16
	count uint32
}

func newBareSRTP(master, salt []byte) (*bareSRTP, error) {
	const keyLabel, saltLabel = 0, 2 // RFC 3711 section 4.3.2
	key, err := derive(keyLabel, master, salt, 16)
	if err != nil {
		return nil, err
	}
	session, err := derive(saltLabel, master, salt, 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare SRTP: %w", err)
	}
	s := &bareSRTP{}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("prepare SRTP: %w", err)
	}
	copy(s.salt[:], session)

	return s, nil
}

// derive is the key derivation of RFC 3711 section 4.3.3 with AES-CM, for at most
// one block of output.
func derive(label byte, master, salt []byte, size int) ([]byte, error) {
	block, err := aes.NewCipher(master)
	if err != nil {
		return nil, fmt.Errorf("derive a key for SRTP: %w", err)
	}
	var in, out [aes.BlockSize]byte
	copy(in[:14], salt)
	in[7] ^= label
	block.Encrypt(out[:], in[:])

	return out[:size], nil
}

// seal encrypts a packet in place and returns it with its tag; b must have room.
func (s *bareSRTP) seal(b []byte) ([]byte, bool) {
	head, ok := s.begin(b)
	if !ok {
		return nil, false
	}

	return b[:head+len(s.aead.Seal(b[head:head], s.nonce[:], b[head:], b[:head]))], true
}

// open decrypts a packet in place.
func (s *bareSRTP) open(b []byte) ([]byte, bool) {
	head, ok := s.begin(b)
	if !ok {
		return nil, false
	}
	plain, err := s.aead.Open(b[head:head], s.nonce[:], b[head:], b[:head])

	return b[:head+len(plain)], err == nil
}

// begin sets the nonce for a packet and returns the length of its header.
func (s *bareSRTP) begin(b []byte) (head int, ok bool) {
	if len(b) < 12 {
		return 0, false
	}
	head = 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 && len(b) >= head+4 {
		head += 4 + 4*int(binary.BigEndian.Uint16(b[head+2:]))
	}
	if head > len(b) {
		return 0, false
	}
	seq, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	var n [12]byte // RFC 7714 section 8.1
	binary.BigEndian.PutUint32(n[2:], ssrc)
	binary.BigEndian.PutUint32(n[6:], s.rollover(ssrc).at(seq))
	binary.BigEndian.PutUint16(n[10:], seq)
	for i := range n {
		s.nonce[i] = n[i] ^ s.salt[i]
	}

	return head, true
}

// rollover returns the counter of a stream; a third stream takes the place of
// the second.
func (s *bareSRTP) rollover(ssrc uint32) *rollover {
	for i := range s.streams {
		r := &s.streams[i]
		if r.ssrc == ssrc {
			return r
		}
		if r.ssrc == 0 || i == len(s.streams)-1 {
			*r = rollover{ssrc: ssrc}

			return r
		}
	}

	return nil
}

// at returns the counter that belongs to a sequence number. The network in
// between neither loses nor reorders half of all numbers.
func (r *rollover) at(seq uint16) uint32 {
	if seq < r.last && r.last-seq > 1<<15 {
		r.count++
	}
	if seq > r.last && seq-r.last > 1<<15 && r.count > 0 {
		return r.count - 1
	}
	r.last = seq

	return r.count
}
