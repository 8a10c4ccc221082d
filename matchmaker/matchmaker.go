package matchmaker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"smalltalk/store"
)

// Errors on which a caller may branch.
var (
	// ErrAlreadyWaiting says that this session, or another one of the same user, is in line already.
	ErrAlreadyWaiting = errors.New("already waiting")

	// ErrInRoom says that this session, or another one of the same user, is in a room; it must leave that first.
	ErrInRoom = errors.New("already in a room")

	// ErrUnknownTopic says that a ticket names a topic that this server does not have.
	ErrUnknownTopic = errors.New("unknown topic")

	// ErrNoRoom says that there is no room for this session to go back to: it never was in one, or it has ended.
	ErrNoRoom = errors.New("no room to resume")

	// ErrClosed says that the matcher is shutting down.
	ErrClosed = errors.New("the matcher is closed")
)

// Ticket says who looks for a partner, and for what kind.
type Ticket struct {
	Session store.SessionID
	User    store.UserID
	Topics  []store.Category // one of them must be shared; empty takes any
	Langs   []string         // if both name some, one must be shared
	Since   time.Time        // the place in line; zero or in the future means now
}

// Config says how a Matcher works. Only DB is required.
type Config struct {
	// DB keeps the rooms. It stays open when the matcher closes.
	DB *store.DB

	// Topics are those that tickets may name. If it is empty they may name anything.
	Topics []store.Category

	// Node is the name of this server in rooms.
	Node string

	// RecentAfter is how long two people who just left each other wait side by side, with nobody else coming, until they meet
	// again. Zero means 10 s.
	RecentAfter time.Duration

	// Grace is how long after New the members of rooms from before have for Resume. Zero means 30 s.
	Grace time.Duration

	// Logger gets trouble with the store. Nil discards it.
	Logger *slog.Logger
}

// Matcher pairs people who wait. Its methods may be called by any number of goroutines.
type Matcher struct {
	topics []store.Category // sorted
	node   string
	log    *slog.Logger
	start  time.Time
	write  func(put []store.Room, del []store.RoomID) error // store.DB.WriteRooms

	writeWake chan struct{} // capacity 1: there is something to write
	clockWake chan struct{} // capacity 1: the next deadline is sooner than the clock knows
	stop      chan struct{} // closed by Close
	running   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error

	// mu guards all that follows. It is never held over disk, network or a channel that could block.
	mu       sync.Mutex
	closed   bool
	line     *line
	requests map[store.SessionID]*request
	bySess   map[store.SessionID]*Room
	byUser   map[store.UserID]*Room
	talking  map[store.Category]int // people in rooms that share this topic; no zeros
	restored []*call                // rooms from before the start, until graceEnd
	graceEnd time.Duration
	alarm    time.Duration // when the clock wakes by itself; never if negative
	dirty    []*call       // to be written, oldest change first
	stats    Stats
}

// request is one call of Find that waits.
type request struct {
	done chan struct{} // closed, under mu, when room or err is set
	room *Room
	err  error
}

// New makes a matcher and takes over the rooms that the store still has: each member of those has Config.Grace to Resume, else
// the room ends and is deleted.
func New(cfg Config) (*Matcher, error) {
	if cfg.DB == nil {
		return nil, errors.New("matchmaker: no database")
	}
	return newMatcher(cfg, cfg.DB.WriteRooms)
}

// newMatcher is New with a way to write that a test can make fail.
func newMatcher(cfg Config, write func([]store.Room, []store.RoomID) error) (*Matcher, error) {
	if cfg.RecentAfter < 0 || cfg.Grace < 0 {
		return nil, fmt.Errorf("matchmaker: negative time: RecentAfter %v, Grace %v", cfg.RecentAfter, cfg.Grace)
	}
	rooms, err := cfg.DB.Rooms()
	if err != nil {
		return nil, fmt.Errorf("matchmaker: load rooms: %w", err)
	}
	m := &Matcher{
		topics:    sortedSet(cfg.Topics),
		node:      cfg.Node,
		log:       cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)),
		start:     time.Now(),
		write:     write,
		writeWake: make(chan struct{}, 1),
		clockWake: make(chan struct{}, 1),
		stop:      make(chan struct{}),
		line:      newLine(cmp.Or(cfg.RecentAfter, 10*time.Second)),
		requests:  map[store.SessionID]*request{},
		bySess:    map[store.SessionID]*Room{},
		byUser:    map[store.UserID]*Room{},
		talking:   map[store.Category]int{},
		graceEnd:  cmp.Or(cfg.Grace, 30*time.Second),
		alarm:     never,
	}
	m.mu.Lock()
	m.restore(rooms)
	m.release()
	m.running.Go(m.runWriter)
	m.running.Go(m.runClock)
	return m, nil
}

// restore takes over rooms from the store. One that cannot be, because a member is missing or in another room, is deleted: no
// state in which a matcher has been looks so.
func (m *Matcher) restore(rooms []store.Room) {
	for _, record := range rooms {
		c := newCall(m, record)
		c.stored = true
		a, b := record.Members[0], record.Members[1]
		if a.Session == "" || b.Session == "" || a.User == b.User || a.Session == b.Session || m.inRoom(a) || m.inRoom(b) {
			m.log.Error("deleting a room that cannot be", "room", record.ID, "a", a.User, "b", b.User)
			c.delete = true
			m.touch(c)
			continue
		}
		m.enter(c)
		m.restored = append(m.restored, c)
	}
}

func (m *Matcher) inRoom(who store.Member) bool {
	return m.bySess[who.Session] != nil || m.byUser[who.User] != nil
}

// Find waits for a partner and returns the room with him, or an error, never both: ErrAlreadyWaiting, ErrInRoom, ErrUnknownTopic,
// ErrClosed, or that of ctx. Cancelling ctx leaves the line; if that comes at the moment of a match, the room is left
// for the reason "left". A room returned must be left with Room.Leave sometime.
//
// A member of a room from before a restart who calls Find before Resume has given that room up; it ends for the reason "left".
func (m *Matcher) Find(ctx context.Context, t Ticket) (*Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := m.normal(t)
	if err != nil {
		return nil, err
	}
	room, f, err := m.join(t)
	if f == nil {
		return room, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		m.abandon(t.Session, f)
		return nil, err
	}
	return f.room, f.err
}

// normal checks a ticket and returns a copy whose lists are sorted.
func (m *Matcher) normal(t Ticket) (Ticket, error) {
	if t.Session == "" || t.User == "" {
		return t, errors.New("matchmaker: ticket without session or user")
	}
	t.Topics, t.Langs = sortedSet(t.Topics), sortedSet(t.Langs)
	if len(m.topics) > 0 {
		for _, topic := range t.Topics {
			if _, ok := slices.BinarySearch(m.topics, topic); !ok {
				return t, fmt.Errorf("%w: %q", ErrUnknownTopic, topic)
			}
		}
	}
	return t, nil
}

// join returns the room if somebody is there to be matched, a request to wait on if not, or an error.
func (m *Matcher) join(t Ticket) (*Room, *request, error) {
	m.mu.Lock()
	defer m.release()
	if err := m.mayJoin(t); err != nil {
		return nil, nil, err
	}
	waited := time.Duration(0)
	if !t.Since.IsZero() {
		waited = max(0, time.Since(t.Since))
	}
	if mt, ok := m.line.join(m.now(), t, waited); ok {
		m.meet(mt)
		return m.bySess[t.Session], nil, nil
	}
	r := &request{done: make(chan struct{})}
	m.requests[t.Session] = r
	return nil, r, nil
}

func (m *Matcher) mayJoin(t Ticket) error {
	if m.closed {
		return ErrClosed
	}
	if m.line.waits(t.Session, t.User) {
		return ErrAlreadyWaiting
	}
	if r := m.byUser[t.User]; r != nil && !r.call.claimed[r.self] {
		m.end(r.call, reasonLeft, r.Self().Session)
		m.line.parted(m.now(), r.Self().User, r.Partner().User)
	}
	if m.byUser[t.User] != nil || m.bySess[t.Session] != nil {
		return ErrInRoom
	}
	return nil
}

// abandon undoes a Find whose ctx has ended, whether it was matched meanwhile or not.
func (m *Matcher) abandon(s store.SessionID, f *request) {
	m.mu.Lock()
	defer m.release()
	switch {
	case f.room != nil:
		// They have not met, so nothing keeps them from meeting the next moment.
		if !f.room.call.ended {
			m.end(f.room.call, reasonLeft, s)
		}
	case f.err == nil:
		m.line.cancel(s)
		delete(m.requests, s)
		m.stats.Cancelled++
	}
}

// meet makes the room of a match and hands it to those of the two who wait in Find.
func (m *Matcher) meet(mt match) {
	a, b := mt.a.ticket, mt.b.ticket
	c := newCall(m, store.Room{
		ID: store.NewRoomID(),
		Members: [2]store.Member{
			{Session: a.Session, User: a.User, Node: m.node},
			{Session: b.Session, User: b.User, Node: m.node},
		},
		Topics:  sharedTopics(a.Topics, b.Topics),
		Langs:   common(a.Langs, b.Langs),
		Created: time.Now().UTC(),
	})
	c.claimed = [2]bool{true, true}
	m.stats.Matches++
	m.enter(c)
	m.touch(c)
	for _, side := range c.sides {
		s := side.Self().Session
		if f := m.requests[s]; f != nil {
			delete(m.requests, s)
			f.room = side
			close(f.done)
		}
	}
}

// enter makes a call known under its members.
func (m *Matcher) enter(c *call) {
	for _, side := range c.sides {
		m.bySess[side.Self().Session] = side
		m.byUser[side.Self().User] = side
	}
	for _, t := range c.record.Topics {
		m.talking[t] += 2
	}
}

// end ends a call that has not ended. The caller holds mu.
func (m *Matcher) end(c *call, reason string, by store.SessionID) {
	for _, side := range c.sides {
		delete(m.bySess, side.Self().Session)
		delete(m.byUser, side.Self().User)
	}
	for _, t := range c.record.Topics {
		if m.talking[t] -= 2; m.talking[t] == 0 {
			delete(m.talking, t)
		}
	}
	c.ended, c.reason, c.endedBy = true, reason, by
	close(c.done)
	if !m.closed { // after it the store keeps the room for the next start
		c.delete = true
		m.touch(c)
	}
}

// Resume returns the room that this session is in: after a restart of the server, or again in the same process, the same *Room
// every time. The error is ErrNoRoom, ErrClosed, or that of ctx.
func (m *Matcher) Resume(ctx context.Context, s store.SessionID) (*Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.release()
	if m.closed {
		return nil, ErrClosed
	}
	r := m.bySess[s]
	if r == nil {
		return nil, ErrNoRoom
	}
	r.call.claimed[r.self] = true
	return r, nil
}

// Close wakes all Finds with ErrClosed, stops the matcher's goroutines and writes what is not written yet; the error is that of this
// last write. Rooms stay as they are and stay in the store, so that a restarted server can resume them.
func (m *Matcher) Close() error {
	m.closeOnce.Do(func() {
		m.mu.Lock()
		m.closed = true
		for s, f := range m.requests { // in any order: each only learns that it is over
			m.line.cancel(s)
			f.err = ErrClosed
			close(f.done)
		}
		clear(m.requests)
		m.mu.Unlock()
		close(m.stop)
		m.running.Wait()
		if err := m.flush(); err != nil {
			m.closeErr = fmt.Errorf("matchmaker: last write of rooms: %w", err)
		}
	})
	return m.closeErr
}

// now is the time that the line counts in.
func (m *Matcher) now() time.Duration { return time.Since(m.start) }

// release unlocks mu and wakes who has got something to do.
func (m *Matcher) release() {
	write := len(m.dirty) > 0
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

// sortedSet returns a sorted copy without repetitions.
func sortedSet[T cmp.Ordered](s []T) []T {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
