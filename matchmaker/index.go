package matchmaker

import "hash/maphash"

const (
	shardBits = 10
	shards    = 1 << shardBits
)

// index finds the number of a value in an arena by its key. It costs a third of the memory of a map, and no step of it is long: a map
// under churn now and then cleans up a thousand entries at once. It is many small open-addressed tables that grow each on its own; removal
// moves what follows back, so that nothing has to be cleaned up. The hash has a random seed, but nothing depends on an order here.
type index[K comparable] struct {
	seed   maphash.Seed
	key    func(uint32) K
	shards [shards]shard
	len    int
}

// shard is a table with room to spare and a power of two of slots: the hash's upper half above, the number below; 0 is free.
type shard struct {
	slots []uint64
	used  uint32
}

func newIndex[K comparable](key func(uint32) K) *index[K] {
	return &index[K]{seed: maphash.MakeSeed(), key: key}
}

// get returns the number of the value with that key, or 0.
func (x *index[K]) get(k K) uint32 {
	h := maphash.Comparable(x.seed, k)
	s := &x.shards[h%shards]
	if i, ok := x.find(s, h, k); ok {
		return uint32(s.slots[i])
	}
	return 0
}

// find returns the slot of a key in its shard.
func (x *index[K]) find(s *shard, h uint64, k K) (slot uint64, ok bool) {
	if s.used == 0 {
		return 0, false
	}
	mask := uint64(len(s.slots) - 1)
	for i := h >> 32 & mask; s.slots[i] != 0; i = (i + 1) & mask {
		if s.slots[i]>>32 == h>>32 && x.key(uint32(s.slots[i])) == k {
			return i, true
		}
	}
	return 0, false
}

// put notes the number of a value whose key is not there yet.
func (x *index[K]) put(k K, n uint32) {
	h := maphash.Comparable(x.seed, k)
	s := &x.shards[h%shards]
	if int(s.used)*4 >= len(s.slots)*3 {
		s.resize(max(4, 2*len(s.slots)))
	}
	s.insert(h>>32<<32 | uint64(n))
	s.used++
	x.len++
}

func (s *shard) insert(slot uint64) {
	mask := uint64(len(s.slots) - 1)
	i := slot >> 32 & mask
	for s.slots[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = slot
}

func (s *shard) resize(n int) {
	old := s.slots
	s.slots = make([]uint64, n)
	for _, slot := range old {
		if slot != 0 {
			s.insert(slot)
		}
	}
}

// remove forgets a key. Its value must still be in the arena.
func (x *index[K]) remove(k K) {
	h := maphash.Comparable(x.seed, k)
	s := &x.shards[h%shards]
	i, ok := x.find(s, h, k)
	if !ok {
		return
	}
	mask := uint64(len(s.slots) - 1)
	for j := (i + 1) & mask; s.slots[j] != 0; j = (j + 1) & mask {
		// What is at j may move to i if its own place is not between the two.
		if home := s.slots[j] >> 32 & mask; (j-home)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = 0
	s.used--
	x.len--
	if n := len(s.slots); n > 16 && int(s.used)*8 < n {
		s.resize(n / 2)
	}
}

// each calls f with every number, in no order.
func (x *index[K]) each(f func(uint32)) {
	for i := range x.shards {
		for _, slot := range x.shards[i].slots {
			if slot != 0 {
				f(uint32(slot))
			}
		}
	}
}
