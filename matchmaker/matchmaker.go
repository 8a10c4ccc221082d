package matchmaker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"smalltalk/store"
)

// Config says how a Matcher works. Only DB is required.
type Config struct {
	// DB keeps the rooms and the line. It stays open when the matcher closes.
	DB *store.DB

	// Topics are those that tickets may name. If it is empty they may name anything.
	Topics []store.Category

	// FreeTopics lets tickets name anything beside Topics.
	FreeTopics bool

	// Node is the name of this server in rooms.
	Node string

	// RecentAfter is how long two people who left each other lately wait side by side, with nobody else coming, until they meet
	// again. Zero means 15 s.
	RecentAfter time.Duration

	// Grace is how long after New the members of rooms from before have for Resume. Zero means 30 s.
	Grace time.Duration

	// Hold is how long after New nobody is matched if people waited when the former process ended, so that they can come back and who
	// has waited longest is still first. Zero means 3 s.
	Hold time.Duration

	// Logger gets trouble with the store. Nil discards it.
	Logger *slog.Logger
}

// Matcher pairs people who wait. Its methods may be called by any number of goroutines.
type Matcher struct {
	topics     []store.Category // sorted
	freeTopics bool
	node       string
	log        *slog.Logger
	start      time.Time
	write      func(store.Changes) error // store.DB.Write

	writeWake chan struct{} // capacity 1: there is something to write
	clockWake chan struct{} // capacity 1: the next deadline is sooner than the clock knows
	stop      chan struct{} // closed by Close
	running   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error

	// mu guards all that follows. It is never held over disk, network or a channel that could block.
	mu        sync.Mutex
	closed    bool
	line      *line
	requests  map[store.SessionID]*request
	bySess    map[store.SessionID]*Room
	byUser    map[store.UserID]*Room
	talking   map[store.Category]int       // people in rooms that share this topic; no zeros
	restored  []*call                      // rooms from before the start, until graceEnd
	gone      map[store.RoomID]bool        // rooms that have ended since New, until graceEnd: Rejoin must not bring them back
	places    map[store.SessionID]*request // who waited when the former process ended and is not in line again, until graceEnd
	placeOf   map[store.UserID]*request    // the same
	graceEnd  time.Duration
	alarm     time.Duration // when the clock wakes by itself; never if negative
	unwritten unwritten
	stats     Stats
}

// New makes a matcher and takes over the rooms and places in line that the store still has: each member of a room has Config.Grace to
// Resume, else the room ends and is deleted, and so long a place is kept for its owner.
func New(cfg Config) (*Matcher, error) {
	if cfg.DB == nil {
		return nil, errors.New("matchmaker: no database")
	}
	return newMatcher(cfg, cfg.DB.Write)
}

// newMatcher is New with a way to write that a test can make fail.
func newMatcher(cfg Config, write func(store.Changes) error) (*Matcher, error) {
	if cfg.RecentAfter < 0 || cfg.Grace < 0 || cfg.Hold < 0 {
		return nil, fmt.Errorf("matchmaker: negative time: RecentAfter %v, Grace %v, Hold %v", cfg.RecentAfter, cfg.Grace, cfg.Hold)
	}
	rooms, err := cfg.DB.Rooms()
	if err != nil {
		return nil, fmt.Errorf("matchmaker: load rooms: %w", err)
	}
	tickets, err := cfg.DB.Tickets()
	if err != nil {
		return nil, fmt.Errorf("matchmaker: load places in line: %w", err)
	}
	m := &Matcher{
		topics:     sortedSet(cfg.Topics),
		freeTopics: cfg.FreeTopics,
		node:       cfg.Node,
		log:        cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)),
		start:      time.Now(),
		write:      write,
		writeWake:  make(chan struct{}, 1),
		clockWake:  make(chan struct{}, 1),
		stop:       make(chan struct{}),
		line:       newLine(cmp.Or(cfg.RecentAfter, 15*time.Second), 0),
		requests:   map[store.SessionID]*request{},
		bySess:     map[store.SessionID]*Room{},
		byUser:     map[store.UserID]*Room{},
		talking:    map[store.Category]int{},
		gone:       map[store.RoomID]bool{},
		places:     map[store.SessionID]*request{},
		placeOf:    map[store.UserID]*request{},
		graceEnd:   cmp.Or(cfg.Grace, 30*time.Second),
		alarm:      never,
	}
	m.restore(rooms, tickets, cmp.Or(cfg.Hold, 3*time.Second))
	poke(m.writeWake)
	m.running.Go(m.runWriter)
	m.running.Go(m.runClock)
	return m, nil
}

// Close wakes all Finds with ErrClosed, stops the matcher's goroutines and writes what is not written yet; the error is that of this
// last write. Rooms and places in line stay in the store, so that a restarted server can resume them.
func (m *Matcher) Close() error {
	m.closeOnce.Do(func() {
		m.mu.Lock()
		m.closed = true
		for _, f := range m.requests { // in any order: each only learns that it is over
			f.err = ErrClosed
			close(f.done)
		}
		clear(m.requests)
		m.mu.Unlock()
		close(m.stop)
		m.running.Wait()
		if err := m.flush(); err != nil {
			m.closeErr = fmt.Errorf("matchmaker: last write of rooms and places in line: %w", err)
		}
	})
	return m.closeErr
}

// now is the time that the line counts in.
func (m *Matcher) now() time.Duration { return time.Since(m.start) }

// release unlocks mu and wakes who has got something to do.
func (m *Matcher) release() {
	write := m.unwritten.len() > 0
	at := m.deadline()
	clock := at != never && (m.alarm == never || at < m.alarm)
	m.mu.Unlock()
	if write {
		poke(m.writeWake)
	}
	if clock {
		poke(m.clockWake)
	}
}

// poke wakes the reader of a channel of capacity 1. If it has not seen the last time yet, that will do.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
