package sfu

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// status is what a feedback packet says about one number.
type status struct {
	number  uint16
	arrived bool
	at      time.Duration // after the zero of the reference time
}

// statuses reads a feedback packet with Pion's parser.
func statuses(p *rtcp.TransportLayerCC) (list []status) {
	var symbols []uint16
	for _, c := range p.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				symbols = append(symbols, c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			symbols = append(symbols, c.SymbolList...)
		}
	}
	at := time.Duration(p.ReferenceTime) * 64 * time.Millisecond
	for i, s := range symbols[:p.PacketStatusCount] {
		st := status{number: p.BaseSequenceNumber + uint16(i)}
		if s != rtcp.TypeTCCPacketNotReceived {
			at += time.Duration(p.RecvDeltas[0].Delta) * time.Microsecond
			p.RecvDeltas = p.RecvDeltas[1:]
			st.arrived, st.at = true, at
		}
		list = append(list, st)
	}

	return list
}

func read(t testing.TB, b []byte) (list []status) {
	t.Helper()
	var r ccReader
	if !r.open(b) {
		t.Fatalf("refused %x", b)
	}
	for {
		n, ticks, arrived, ok := r.next()
		if !ok {
			return list
		}
		s := status{number: n, arrived: arrived}
		if arrived {
			s.at = time.Duration(int64(r.reference)*ccReference+ticks) * ccTick
		}
		list = append(list, s)
	}
}

// TestWideFormat: what the writer writes Pion reads, and the reader what Pion
// writes, whatever is lost and however late it comes.
func TestWideFormat(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var w ccWriter
		n, at := uint16(random.Uint32()), time.Duration(random.Int64N(1<<40))
		want := []status{}
		loss, late := random.Float64(), random.Float64()
		for range 1 + random.IntN(2*ccStatuses) {
			s := status{number: n, arrived: random.Float64() >= loss}
			if s.arrived {
				if random.Float64() < late {
					at += time.Duration(random.IntN(1e9) - 3e8)
				} else {
					at += time.Duration(random.IntN(3e6))
				}
				s.at = max(at, 0).Truncate(ccTick)
			}
			if !w.add(n, s.arrived, int64(s.at/ccTick)) {
				break
			}
			want = append(want, s)
			n++
		}
		b := bytes.Clone(w.flush(1, 2, 3))
		if b == nil {
			continue
		}
		var p rtcp.TransportLayerCC
		if err := p.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		if p.SenderSSRC != 1 || p.MediaSSRC != 2 || p.FbPktCount != 3 || len(b) > 1250 {
			t.Fatalf("wrote %v, %d bytes", p, len(b))
		}
		same(t, statuses(&p), want)
		same(t, read(t, b), want)
	}
}

func same(t testing.TB, got, want []status) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d statuses, want %d", len(got), len(want))
	}
	const wrap = 1 << 24 * 64 * time.Millisecond
	for i := range got {
		got[i].at, want[i].at = got[i].at%wrap, want[i].at%wrap
		if got[i] != want[i] {
			t.Fatalf("status %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestReadsPionsFeedback(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		recorder := twcc.NewRecorder(1)
		n, at := uint16(random.Uint32()), int64(random.IntN(1e9))
		for range 200 {
			n++
			if random.IntN(4) > 0 {
				at += int64(random.IntN(100_000))
				recorder.Record(9, n, at)
			}
		}
		for _, p := range recorder.BuildFeedbackPacket() {
			b, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, b)
			same(t, got, statuses(p.(*rtcp.TransportLayerCC))) //nolint:forcetypeassert // it makes no others
		}
	}
}

func TestSpan(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		first, out := int64(random.IntN(1<<20)), uint16(random.Uint32())
		s := newSpan(first, out)
		n := first
		for range 200 {
			n += int64(random.IntN(3000))
			s.extend(n)
			old := max(first, n-int64(random.IntN(20_000)))
			if got, ok := s.back(out + uint16(old-first)); !ok || got != old {
				t.Fatalf("%d became %d", old, got)
			}
			if got, ok := s.back(s.out(n + 1 + int64(random.IntN(10_000)))); ok {
				t.Fatalf("%d was never sent", got)
			}
			if before := first - 1 - int64(random.IntN(1000)); n-before < 1<<15 {
				if got, ok := s.back(s.out(before)); ok {
					t.Fatalf("%d was before", got)
				}
			}
		}
	}
}
