package main

import (
	"testing"
	"time"
)

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

func TestTalk(t *testing.T) {
	var k talk
	k.heard(1, video, 10)
	k.heard(1, audio, 12)
	k.heard(1, video, 14)
	k.heard(2, audio, 1000)
	v := k.voice(1)
	if v == nil || v.n != [kinds]int{1, 2} || v.first != [kinds]time.Duration{12, 10} || v.last != 14 {
		t.Errorf("heard %+v", v)
	}
	if n := k.strays(2, 1, 5, 2000); n != 0 {
		t.Errorf("%d strays, though the other was the partner before", n)
	}
	if n := k.strays(2, -1, 5, 2000); n != 1 {
		t.Errorf("%d strays, want one", n)
	}
	if n := k.strays(1, -1, 5, 1000); n != 0 {
		t.Errorf("%d strays, though the other came after the call", n)
	}
	k.forget(11)
	if k.voice(1) != nil || k.voice(2) == nil {
		t.Error("the wrong one is forgotten")
	}
}

// TestLinger: the partner before may be heard for a moment, not longer.
func TestLinger(t *testing.T) {
	var k talk
	k.heard(1, video, 10)
	if n := k.strays(2, 1, 5, 2*lingerTime); n != 0 {
		t.Errorf("%d strays, want none", n)
	}
	k.heard(1, video, 5+lingerTime)
	if n := k.strays(2, 1, 5, 2*lingerTime); n != 1 {
		t.Errorf("%d strays, want one", n)
	}
}
