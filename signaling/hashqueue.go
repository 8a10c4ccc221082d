package signaling

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// waitingEach is how many may wait for each hash that runs: a core has done with that many in about a second.
	waitingEach = 24
	// maxHashOfOne is how many of them one address may have. Where many people share one, the others try again.
	maxHashOfOne = 16
	// hashRetry is when to try again after being turned away.
	hashRetry = 2 * time.Second
)

// hashQueue lets a few password hashes run at a time, since each takes a core and tens of megabytes. The addresses that
// wait take turns, so that a flood from one holds up itself and not the others: when the line is full, the newest of
// the address that has most in it goes. Safe for concurrent use.
type hashQueue struct {
	limit int // that run at a time
	most  int // that wait

	mu      sync.Mutex // guards what follows
	running int
	waiting int
	lines   map[netip.Prefix][]*hashTurn // by address, oldest first; none is empty
	order   []netip.Prefix               // the addresses in lines, by whose turn is next
}

// hashTurn is one who waits. done is closed when the turn has come, or when the place was lost.
type hashTurn struct {
	done chan struct{}
	lost bool // valid once done is closed
}

func newHashQueue(limit int) *hashQueue {
	return &hashQueue{limit: limit, most: waitingEach * limit, lines: map[netip.Prefix][]*hashTurn{}}
}

// do runs f in its turn, or says that there are too many. It returns errCancelled when ctx ends first.
func (q *hashQueue) do(ctx context.Context, addr netip.Prefix, f func()) *failure {
	turn := q.enter(addr)
	if turn == nil {
		return errBusy
	}
	select {
	case <-turn.done:
		if turn.lost {
			return errBusy
		}
	case <-ctx.Done():
		if q.abandon(addr, turn) {
			return errCancelled
		}
		// The turn came at the same moment.
		if <-turn.done; turn.lost {
			return errBusy
		}
	}
	defer q.leave()
	f()
	return nil
}

// enter takes a place in line, or nil if there is none for this address.
func (q *hashQueue) enter(addr netip.Prefix) *hashTurn {
	q.mu.Lock()
	defer q.mu.Unlock()
	turn := &hashTurn{done: make(chan struct{})}
	if q.running < q.limit && q.waiting == 0 {
		q.running++
		close(turn.done)
		return turn
	}
	if len(q.lines[addr]) >= maxHashOfOne {
		return nil
	}
	if q.waiting >= q.most && !q.makeRoom(addr) {
		return nil
	}
	if len(q.lines[addr]) == 0 {
		q.order = append(q.order, addr)
	}
	q.lines[addr] = append(q.lines[addr], turn)
	q.waiting++
	return turn
}

// makeRoom turns away the newest of the longest line, if that is longer than addr's would be. The caller holds mu.
func (q *hashQueue) makeRoom(addr netip.Prefix) bool {
	longest := addr
	for _, other := range q.order {
		if len(q.lines[other]) > len(q.lines[longest]) {
			longest = other
		}
	}
	line := q.lines[longest]
	if longest == addr || len(line) <= len(q.lines[addr])+1 {
		return false
	}
	last := line[len(line)-1]
	q.lines[longest] = line[:len(line)-1] // there is another: it had more than one
	q.waiting--
	last.lost = true
	close(last.done)
	return true
}

// leave ends a hash and begins the next.
func (q *hashQueue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		q.running--
		return
	}
	addr := q.order[0]
	q.order = q.order[1:]
	turn := q.lines[addr][0]
	q.shorten(addr, q.lines[addr][1:])
	if len(q.lines[addr]) > 0 {
		q.order = append(q.order, addr) // behind everybody else
	}
	close(turn.done)
}

// shorten gives an address a line with one less. The caller holds mu and sees to order.
func (q *hashQueue) shorten(addr netip.Prefix, line []*hashTurn) {
	q.waiting--
	if len(line) == 0 {
		delete(q.lines, addr)
		return
	}
	q.lines[addr] = line
}

// abandon gives up a place in line. It is false if the turn has come or the place is lost already.
func (q *hashQueue) abandon(addr netip.Prefix, turn *hashTurn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.lines[addr], turn)
	if i < 0 {
		return false
	}
	line := slices.Delete(q.lines[addr], i, i+1)
	q.shorten(addr, line)
	if len(line) == 0 {
		q.order = slices.DeleteFunc(q.order, func(other netip.Prefix) bool { return other == addr })
	}
	return true
}
