package main

import "testing"

func TestPacket(t *testing.T) {
	s := &outStream{ssrc: 0xcafe, seq: 65535, ts: 90}
	for i, k := range []kind{video, audio} {
		b := make([]byte, audioSize)
		s.write(b, k, 12, 777, true, true, true)
		h, err := readHeader(b)
		if err != nil || h.kind != k || h.ssrc != 0xcafe || h.seq != uint16(65535+i) || h.transport != 777 || h.size != headerSize {
			t.Errorf("read %+v, %v", h, err)
		}
		said, err := readBody(b[h.size:])
		if err != nil || said.sender != 12 || said.seq != h.seq {
			t.Errorf("read %+v, %v", said, err)
		}
	}
	if s.seq != 1 {
		t.Errorf("the next packet is %d, want 1", s.seq)
	}
}

func TestMalformedPackets(t *testing.T) {
	good := make([]byte, audioSize)
	(&outStream{}).write(good, video, 1, 1, false, false, false)
	change := func(i int, v byte) []byte {
		b := append([]byte(nil), good...)
		b[i] = v

		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:11], "version 1": change(0, 0x50), "foreign type": change(1, 97),
		"extensions beyond the end": change(15, 200), "cut extensions": good[:14],
	} {
		if h, err := readHeader(b); err == nil {
			t.Errorf("%s: read %+v", name, h)
		}
	}
	for name, b := range map[string][]byte{"no extension": change(16, 0), "another": change(16, 4<<4|1), "longer than the block": change(16, twccID<<4|15)} {
		if h, err := readHeader(b); err != nil || h.transport != -1 {
			t.Errorf("%s: read %+v, %v", name, h, err)
		}
	}
	for name, b := range map[string][]byte{"short": good[headerSize:][:bodySize-1], "foreign": change(headerSize+4, 0)[headerSize:]} {
		if _, err := readBody(b); err == nil {
			t.Errorf("%s: taken for a virtual user's", name)
		}
	}
}

func TestRemember(t *testing.T) {
	s := &outStream{}
	if s.lookup(0) != nil {
		t.Error("a packet that was never sent is remembered")
	}
	s.remember(5, 1)
	if s.lookup(5) == nil || s.lookup(5+ringSize) != nil {
		t.Error("the wrong packet is remembered")
	}
	s.remember(5+ringSize, 2)
	if s.lookup(5) != nil {
		t.Error("a packet is remembered whose place was taken")
	}
}
