package matchmaker

const (
	pageBits = 9
	pageSize = 1 << pageBits
)

// arena keeps values of one kind in pages, which never move and which the garbage collector can pass over if T has no pointers. Values
// refer to each other by number; 0 is nobody.
type arena[T any] struct {
	pages []*[pageSize]T
	free  []uint32
	top   uint32 // numbers up to this one have been given out
}

// at returns the value of that number. The pointer holds until release.
func (a *arena[T]) at(i uint32) *T { return &a.pages[i>>pageBits][i%pageSize] }

// alloc returns the number of a zero value.
func (a *arena[T]) alloc() uint32 {
	if n := len(a.free); n > 0 {
		i := a.free[n-1]
		a.free = a.free[:n-1]
		return i
	}
	a.top++
	if int(a.top>>pageBits) == len(a.pages) {
		a.pages = append(a.pages, new([pageSize]T))
	}
	return a.top
}

// release gives a number back. When the last one is back, so is the memory.
func (a *arena[T]) release(i uint32) {
	if len(a.free)+1 == int(a.top) && a.top > pageSize {
		*a = arena[T]{}
		return
	}
	clear(a.pages[i>>pageBits][i%pageSize : i%pageSize+1])
	a.free = append(a.free, i)
}

// used returns how many values there are.
func (a *arena[T]) used() int { return int(a.top) - len(a.free) }
