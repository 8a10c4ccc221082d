package sfu

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/transport/v4/vnet"
	"github.com/pion/webrtc/v4"
)

// TestSilentDeath: a client whose network dies without a word is noticed after
// 5 s and given up 10 s later; one that comes back in time is connected again.
func TestSilentDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		l := newLab(t, 10*time.Millisecond, 1, dead.Load)
		a, b := newLabClient(l, clientConfig{}), newLabClient(l, clientConfig{})
		join(t, "room", a, b)
		dead.Store(true)
		a.waitState(stateDisconnected)
		dead.Store(false)
		a.waitState(stateConnected)
		dead.Store(true)
		start := time.Now()
		<-a.peer.Done()
		if took := time.Since(start); took < 10*time.Second || took > 25*time.Second {
			t.Errorf("given up after %v", took)
		}
		<-b.peer.Done()
		if s := l.engine.Stats(); s != (Stats{Plane: past(s)}) {
			t.Errorf("left: %+v", s)
		}
		a.close()
		b.close()
		l.close()
	})
}

// TestHandshakeNeverEnds: a client that can be reached and does not go on from
// there is given up, too.
func TestHandshakeNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 10*time.Millisecond, 0, func() bool { return false })
		l.router.AddChunkFilter(func(c vnet.Chunk) bool { // DTLS, RFC 7983 section 7
			b := c.UserData()

			return len(b) == 0 || b[0] < 20 || b[0] > 63
		})
		c := newLabClient(l, clientConfig{})
		start := time.Now()
		<-c.peer.Done()
		if took := time.Since(start); took < handshakeTimeout || took > 2*handshakeTimeout {
			t.Errorf("given up after %v", took)
		}
		c.close()
		l.close()
	})
}

// TestMonthsOfUptime: certificates end, but not the relay.
func TestMonthsOfUptime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 10*time.Millisecond, 0, func() bool { return false })
		before := newLabClient(l, clientConfig{})
		for range 10 {
			before.waitState(stateConnected)
			before.close()
			<-before.peer.Done()
			time.Sleep(9 * 24 * time.Hour)
			before = newLabClient(l, clientConfig{})
		}
		before.close()
		l.close()
	})
}

// TestNobodyComes: a client that takes its answer and is never heard of is
// given up too, and an Engine can be closed while it waits.
func TestNobodyComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 10*time.Millisecond, 1, func() bool { return true })
		a, b := newLabClient(l, clientConfig{}), newLabClient(l, clientConfig{})
		start := time.Now()
		<-a.peer.Done()
		if took := time.Since(start); took > time.Minute {
			t.Errorf("given up after %v", took)
		}
		<-b.peer.Done()
		c, err := l.engine.NewPeer()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Answer(a.sdp); err != nil {
			t.Fatal(err)
		}
		a.close()
		b.close()
		l.close()
		<-c.Done()
	})
}

// TestMediaIsASignOfLife: ICE hears of a client's media, by which it judges
// whether a path is good, while the client is silent otherwise.
func TestMediaIsASignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 10*time.Millisecond, 0, func() bool { return false })
		a, b := newLabClient(l, clientConfig{}), newLabClient(l, clientConfig{})
		join(t, "room", a, b)
		stop := startTalking(a, b)
		time.Sleep(30 * time.Second)
		if age := time.Since(lastPacket(t, a.peer)); age > 1100*time.Millisecond {
			t.Errorf("ICE has heard nothing for %v", age)
		}
		stop()
		a.close()
		b.close()
		l.close()
	})
}

// lastPacket is when ICE last had a packet of its client that was no check.
func lastPacket(t *testing.T, p *Peer) time.Time {
	t.Helper()
	for _, s := range p.pc.GetStats() {
		if pair, ok := s.(webrtc.ICECandidatePairStats); ok && pair.Nominated {
			return pair.LastPacketReceivedTimestamp.Time()
		}
	}
	t.Fatal("there is no nominated pair")

	return time.Time{}
}
