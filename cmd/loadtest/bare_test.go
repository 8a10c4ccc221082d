package main

import (
	"bytes"
	"testing"

	"github.com/pion/srtp/v3"
)

// TestBareSRTP holds the bare crypto against Pion's, over a wrap of the sequence
// number and with packets that come late around it.
func TestBareSRTP(t *testing.T) {
	k := fixedKeys()
	bare := func() *bareSRTP {
		s, err := newBareSRTP(k.Keys.LocalMasterKey, k.Keys.LocalMasterSalt)
		if err != nil {
			t.Fatal(err)
		}

		return s
	}
	oracle := func() *srtp.Context {
		c, err := srtp.CreateContext(k.Keys.LocalMasterKey, k.Keys.LocalMasterSalt, k.Profile)
		if err != nil {
			t.Fatal(err)
		}

		return c
	}
	seal, open, pionSeal, pionOpen := bare(), bare(), oracle(), oracle()
	s := &outStream{ssrc: 7}
	for _, seq := range []uint16{65533, 65534, 0, 65535, 1, 2} {
		s.seq = seq
		plain := make([]byte, 200)
		s.write(plain, video, 3, 9, true, true, true)
		want, err := pionSeal.EncryptRTP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := seal.seal(append(make([]byte, 0, maxPacket), plain...))
		if !ok || !bytes.Equal(got, want) {
			t.Errorf("packet %d is not sealed as Pion does it", seq)
		}
		if back, err := pionOpen.DecryptRTP(nil, got, nil); err != nil || !bytes.Equal(back, plain) {
			t.Errorf("Pion does not open packet %d: %v", seq, err)
		}
		if back, ok := open.open(bytes.Clone(want)); !ok || !bytes.Equal(back, plain) {
			t.Errorf("packet %d of Pion's is not opened", seq)
		}
		want[50] ^= 1
		if _, ok := open.open(want); ok {
			t.Errorf("packet %d was changed and is opened all the same", seq)
		}
	}
	for _, short := range [][]byte{nil, make([]byte, 11), {0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0xff, 0xff}} {
		if _, ok := open.open(short); ok {
			t.Errorf("%x is opened", short)
		}
	}
}
