package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

const (
	walkClients     = 200
	walkShared      = 40 // clients whose user has another client as well
	walkPairs       = 10 // of clients who want only what one other wants, so that they meet again and again
	walkFor         = 2 * time.Minute
	walkRecentAfter = 5 * time.Second
	walkGrace       = 4 * time.Second
	walkHold        = 500 * time.Millisecond
	// All pauses are multiples of walkTick, so that much happens at the same moment.
	walkTick = 50 * time.Millisecond
)

// walk is a crowd of clients that find, cancel, go on, drop and come back after crashes, each at random. What the clients were told is
// noted here and compared with the rules by observe; nothing of the matcher's own bookkeeping is believed.
type walk struct {
	t *testing.T
	d *disk

	mu        sync.Mutex
	m         *Matcher
	crashed   chan struct{} // closed when m has crashed
	restarted time.Time
	leftover  map[store.RoomID]store.Room // on the disk at the last start
	parted    map[store.RoomID]bool       // rooms whose end was noted
	last      map[store.UserID]store.UserID
	lefts     map[[2]store.UserID]bool // who has left whom since the last start
	crowded   time.Time                // when observe last saw many in line
	clients   []*walker

	rooms, resumed, refused, cancelled, again, crashes atomic.Int64
}

// walker is one client. Its fields below rng are guarded by walk.mu.
type walker struct {
	w      *walk
	user   store.UserID
	single bool // no other client has this user
	only   []store.Category
	rng    *rand.Rand

	session store.SessionID
	waiting *Ticket // in Find
	joined  time.Time
	room    *Room // held and not known to have ended
	of      *Matcher
}

func TestRandomWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &walk{t: t, d: &disk{db: openDB(t)}, parted: map[store.RoomID]bool{}}
		w.start()
		stop, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for i := range walkClients {
			user := i
			if i >= walkClients-walkShared/2 {
				user = i - walkShared/2
			}
			c := &walker{
				w: w, user: store.UserID(fmt.Sprint("u", user)), single: i < walkClients-walkShared,
				rng: rand.New(rand.NewPCG(uint64(i), 11)), session: store.NewSessionID(),
			}
			if i < walkPairs*2 {
				c.only = []store.Category{store.Category(fmt.Sprint("pair", i/2))}
			}
			w.clients = append(w.clients, c)
			wg.Go(func() { c.run(stop) })
		}
		w.conduct()
		cancel()
		wg.Wait()
		sleep(walkGrace) // rooms to which nobody came back
		w.observe()
		if s := w.m.Stats(); s.Waiting != 0 || s.Rooms != 0 || s.Unwritten != 0 {
			t.Errorf("left behind: %+v", s)
		}
		if got := onDisk(t, w.d.db); len(got) != 0 {
			t.Errorf("on disk at the end: %v", got)
		}
		if err := w.m.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("got a room %d times, resumed %d, cancelled %d, refused %d, met the last partner again %d, crashes %d",
			w.rooms.Load(), w.resumed.Load(), w.cancelled.Load(), w.refused.Load(), w.again.Load(), w.crashes.Load())
		for _, n := range []*atomic.Int64{&w.rooms, &w.resumed, &w.cancelled, &w.refused, &w.again, &w.crashes} {
			if n.Load() == 0 {
				t.Error("the walk has not been everywhere")
			}
		}
	})
}

// conduct lets time pass, breaks and repairs the disk, kills the matcher now and then, and looks around after each step.
func (w *walk) conduct() {
	rng := rand.New(rand.NewPCG(5, 6))
	for end := time.Now().Add(walkFor); time.Now().Before(end); {
		sleep(time.Duration(1+rng.IntN(20)) * walkTick)
		sleep(writeGap)
		w.observe()
		time.Sleep(walkTick - writeGap)
		switch rng.IntN(40) {
		case 0, 1:
			w.d.broken.Store(true)
		case 2, 3, 4, 5:
			w.d.broken.Store(false)
			sleep(retryMax)
		case 6, 7:
			time.Sleep(time.Duration(rng.IntN(5)) * walkTick) // and no synctest.Wait: in the middle of things
			crash(w.t, w.m, w.d)
			w.crashes.Add(1)
			w.start()
		}
	}
	w.d.broken.Store(false)
	sleep(retryMax)
}

// start makes a new matcher on the disk as it is.
func (w *walk) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	rooms, err := w.d.db.Rooms()
	if err != nil {
		w.t.Fatal(err)
	}
	w.leftover = map[store.RoomID]store.Room{}
	for _, r := range rooms {
		w.leftover[r.ID] = r
	}
	w.m = openOn(w.t, w.d, Config{RecentAfter: walkRecentAfter, Grace: walkGrace, Hold: walkHold})
	w.restarted, w.last, w.lefts = time.Now(), map[store.UserID]store.UserID{}, map[[2]store.UserID]bool{}
	if w.crashed != nil {
		close(w.crashed)
	}
	w.crashed = make(chan struct{})
}

func (w *walk) now() (*Matcher, chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.m, w.crashed
}

func (c *walker) pause(most int) time.Duration {
	return time.Duration(c.rng.IntN(most)) * walkTick
}

// run is a client's life.
func (c *walker) run(stop context.Context) {
	for stop.Err() == nil {
		time.Sleep(c.pause(20))
		room, crashed := c.find(stop)
		for room != nil {
			room, crashed = c.talk(stop, room, crashed)
		}
	}
}

// find waits for a partner, often not to the end.
func (c *walker) find(stop context.Context) (*Room, chan struct{}) {
	m, crashed := c.w.now()
	ctx, cancel := context.WithCancel(stop)
	defer cancel()
	if c.rng.IntN(3) > 0 {
		ctx, cancel = context.WithTimeout(ctx, c.pause(160))
		defer cancel()
	}
	tk := c.ticket()
	c.w.mu.Lock()
	c.waiting, c.joined = &tk, time.Now()
	c.w.mu.Unlock()
	room, err := m.Find(ctx, tk)
	c.w.mu.Lock()
	c.waiting = nil
	c.w.mu.Unlock()
	switch {
	case (room == nil) == (err == nil):
		c.w.t.Errorf("room %v and error %v", room, err)
	case errors.Is(err, ErrAlreadyWaiting), errors.Is(err, ErrInRoom):
		if c.single {
			c.w.t.Errorf("%s: %v", c.user, err)
		}
		c.w.refused.Add(1)
	case errors.Is(err, ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		c.w.cancelled.Add(1)
	case err != nil:
		c.w.t.Error(err)
	default:
		c.w.rooms.Add(1)
		c.check(room, tk)
		c.hold(room, m)
	}
	return room, crashed
}

func (c *walker) ticket() Ticket {
	tk := Ticket{Session: c.session, User: c.user, Topics: c.only}
	if c.only == nil && c.rng.IntN(12) > 0 {
		for range 1 + c.rng.IntN(2) {
			tk.Topics = append(tk.Topics, store.Category(fmt.Sprint("topic", c.rng.IntN(40))))
		}
		tk.Langs = pick([]string{"de", "en", "es"}, c.rng.Uint())
	}
	if c.rng.IntN(4) == 0 {
		tk.Since = time.Now().Add(-c.pause(400))
	}
	return tk
}

// check looks at a room that Find gave.
func (c *walker) check(room *Room, tk Ticket) {
	w, self, partner := c.w, room.Self(), room.Partner()
	if self.Session != c.session || self.User != c.user || partner.User == c.user || partner.Session == c.session {
		w.t.Errorf("%s of %s got %v with %v", c.session, c.user, self, partner)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.single && w.last[c.user] == partner.User && !w.parted[room.ID()] { // parted: the partner has left already
		w.again.Add(1)
		if waited := time.Since(c.joined); waited < walkRecentAfter {
			w.t.Errorf("%s met %s again after %v", c.user, partner.User, waited)
		}
	}
}

func (c *walker) hold(room *Room, m *Matcher) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.room, c.of = room, m
}

// talk stays in a room until somebody leaves or the matcher crashes, and returns the room to go on in, if any.
func (c *walker) talk(stop context.Context, room *Room, crashed chan struct{}) (*Room, chan struct{}) {
	select {
	case <-room.Done():
	case <-time.After(c.pause(200)):
		room.Leave("next")
	case <-stop.Done():
		room.Leave("next")
	case <-crashed:
		return c.comeBack()
	}
	c.w.over(c, room)
	return nil, nil
}

// over notes the end of a room.
func (w *walk) over(c *walker, room *Room) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !ended(room) {
		w.t.Error("left, but not ended")
	}
	a, b := room.Self().User, room.Partner().User
	if !w.parted[room.ID()] && c.of == w.m && room.Reason() == "next" {
		w.parted[room.ID()] = true
		w.last[a], w.last[b] = b, a
		w.lefts[[2]store.UserID{a, b}] = true
	}
	c.room = nil
}

// comeBack is what a client does after a crash: resume, perhaps late, or begin anew as another session.
func (c *walker) comeBack() (*Room, chan struct{}) {
	c.hold(nil, nil)
	if c.rng.IntN(3) == 0 {
		c.w.mu.Lock()
		c.session = store.NewSessionID()
		c.w.mu.Unlock()
		return nil, nil
	}
	time.Sleep(c.pause(100))
	m, crashed := c.w.now()
	room, err := m.Resume(context.Background(), c.session)
	if err != nil {
		if !errors.Is(err, ErrNoRoom) && !errors.Is(err, ErrClosed) {
			c.w.t.Error(err)
		}
		return nil, nil
	}
	c.w.resumed.Add(1)
	c.hold(room, m)
	return room, crashed
}
