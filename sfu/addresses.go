package sfu

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// addressShards bounds what adding an address copies. A power of two.
const addressShards = 64

// addresses tells whose datagrams come from where to one of our addresses: from
// those that ICE has selected, and no others. Workers read it for each datagram,
// without a lock; a change, once or twice in a connection's life, copies a shard.
//
// It is for one address of ours, because a NAT may give two clients the same
// outer address where they send to different ones.
type addresses struct {
	mu     sync.Mutex // serializes changes
	shards [addressShards]atomic.Pointer[map[addressKey]*post]
}

// post is a place that a client's datagrams come from.
type post struct {
	lane  *lane
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

func (k addressKey) shard() uint64 { return (k.low ^ k.low>>8 ^ uint64(k.port)) % addressShards }

// find returns whose an address is, nil if it is a stranger's.
func (t *addresses) find(a netip.AddrPort) *post {
	k := keyOf(a)
	if m := t.shards[k.shard()].Load(); m != nil {
		return (*m)[k]
	}

	return nil
}

// add gives an address to a lane. If it was another one's it is not any more:
// its NAT has given it to somebody else.
func (t *addresses) add(a netip.AddrPort, l *lane) {
	t.change(keyOf(a), func(m map[addressKey]*post, k addressKey) { m[k] = &post{lane: l} })
}

// remove takes an address from a lane, if it still has it.
func (t *addresses) remove(a netip.AddrPort, l *lane) {
	t.change(keyOf(a), func(m map[addressKey]*post, k addressKey) {
		if p := m[k]; p != nil && p.lane == l {
			delete(m, k)
		}
	})
}

func (t *addresses) change(k addressKey, f func(map[addressKey]*post, addressKey)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	shard := &t.shards[k.shard()]
	next := map[addressKey]*post{}
	if old := shard.Load(); old != nil {
		next = maps.Clone(*old)
	}
	f(next, k)
	shard.Store(&next)
}
