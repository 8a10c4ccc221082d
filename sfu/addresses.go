package sfu

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// addressShards is so many that few clients share one. A power of two.
const addressShards = 4096

// addresses tells whose datagrams come from where to one of our addresses: from
// those that ICE has selected, and no others. Workers read it for each datagram,
// without a lock; it is changed once or twice in a connection's life.
//
// It is for one address of ours, because a NAT may give two clients the same
// outer address where they send to different ones.
type addresses struct {
	mu     sync.Mutex   // serializes changes
	seed   maphash.Seed // so that nobody can choose addresses that share a shard
	shards [addressShards]atomic.Pointer[post]
}

// post is a place that a client's datagrams come from. But for shown it is not
// changed once it can be found.
type post struct {
	key   addressKey
	lane  *lane
	next  *post        // of the same shard
	shown atomic.Int64 // when ICE was last shown a datagram from here, see show
}

// showInterval is how often ICE is shown media.
const showInterval = time.Second

// show reports whether ICE is to see this datagram too. It judges by what comes
// whether a client is still there and a path still good, and clients that send
// media check themselves only every few seconds (RFC 7675 section 5.1).
func (p *post) show(now time.Duration) bool {
	last := p.shown.Load()

	return int64(now)-last >= int64(showInterval) && p.shown.CompareAndSwap(last, int64(now))
}

// addressKey is an address and a port without pointers, and IPv4 is the same
// whether mapped into IPv6 or not.
type addressKey struct {
	high, low uint64
	port      uint16
}

func keyOf(a netip.AddrPort) addressKey {
	b := a.Addr().As16()

	return addressKey{high: binary.BigEndian.Uint64(b[:8]), low: binary.BigEndian.Uint64(b[8:]), port: a.Port()}
}

func newAddresses() *addresses { return &addresses{seed: maphash.MakeSeed()} }

func (t *addresses) shard(k addressKey) *atomic.Pointer[post] {
	return &t.shards[maphash.Comparable(t.seed, k)%addressShards]
}

// find returns whose an address is, nil if it is a stranger's.
func (t *addresses) find(a netip.AddrPort) *post {
	k := keyOf(a)
	p := t.shard(k).Load()
	for p != nil && p.key != k {
		p = p.next
	}

	return p
}

// add gives an address to a lane. If it was another one's it is not any more:
// its NAT has given it to somebody else.
func (t *addresses) add(a netip.AddrPort, l *lane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := keyOf(a)
	shard := t.shard(k)
	shard.Store(&post{key: k, lane: l, next: shard.Load().without(k)})
}

// remove takes an address from a lane, if it still has it.
func (t *addresses) remove(a netip.AddrPort, l *lane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.find(a); p != nil && p.lane == l {
		shard := t.shard(p.key)
		shard.Store(shard.Load().without(p.key))
	}
}

// without is a list without the post of a key, for who may change the table.
func (p *post) without(k addressKey) *post {
	switch {
	case p == nil:
		return nil
	case p.key == k:
		return p.next
	}
	rest := p.next.without(k)
	if rest == p.next {
		return p
	}
	again := &post{key: p.key, lane: p.lane, next: rest}
	again.shown.Store(p.shown.Load())

	return again
}
