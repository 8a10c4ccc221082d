package sfu

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
)

// addressShards bounds what adding an address copies. A power of two.
const addressShards = 64

// addresses tells whose datagrams come from where: the addresses that ICE has
// selected, and no others. Workers read it for each datagram, without a lock;
// a change, once or twice in a connection's life, copies one shard.
type addresses struct {
	mu     sync.Mutex // serializes changes
	shards [addressShards]atomic.Pointer[map[addressKey]*lane]
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

// find returns the lane of a client's address, nil if it is a stranger's.
func (t *addresses) find(a netip.AddrPort) *lane {
	k := keyOf(a)
	if m := t.shards[k.shard()].Load(); m != nil {
		return (*m)[k]
	}

	return nil
}

// add gives an address to a lane. If it was another one's it is not any more:
// its NAT has given it to somebody else.
func (t *addresses) add(a netip.AddrPort, l *lane) {
	t.change(keyOf(a), func(m map[addressKey]*lane, k addressKey) { m[k] = l })
}

// remove takes an address from a lane, if it still has it.
func (t *addresses) remove(a netip.AddrPort, l *lane) {
	t.change(keyOf(a), func(m map[addressKey]*lane, k addressKey) {
		if m[k] == l {
			delete(m, k)
		}
	})
}

func (t *addresses) change(k addressKey, f func(map[addressKey]*lane, addressKey)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	shard := &t.shards[k.shard()]
	next := map[addressKey]*lane{}
	if old := shard.Load(); old != nil {
		next = maps.Clone(*old)
	}
	f(next, k)
	shard.Store(&next)
}

// count is how many addresses are known.
func (t *addresses) count() (n int) {
	for i := range t.shards {
		if m := t.shards[i].Load(); m != nil {
			n += len(*m)
		}
	}

	return n
}
