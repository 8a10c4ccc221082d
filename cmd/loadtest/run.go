package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	connectAtOnce = 8
	connectTime   = 20 * time.Second // for one pair
	hearTime      = 20 * time.Second // for all to hear their partners
	lookEvery     = 20 * time.Millisecond
	// drainTime is how long packets of the window may take to arrive.
	drainTime = 300 * time.Millisecond
)

// load is what one measurement does to a server.
type load struct {
	pairs           int
	warmup, seconds time.Duration
	place           placing
}

// sample is what one measurement gave. Packets are media packets that arrived at
// the partner; their CPU is the server's, all of it.
type sample struct {
	Repeat    int     `json:"repeat"`
	Sent      uint64  `json:"sent"`
	Packets   uint64  `json:"packets"`
	PerSecond float64 `json:"packets_per_second"`
	Micros    float64 `json:"cpu_us_per_packet"`
	User      float64 `json:"user_us_per_packet"`
	System    float64 `json:"system_us_per_packet"`
	Busy      float64 `json:"cpu_share"` // of one processor, 0 to 1
	// Allocs is -1 where the server is none of ours.
	Allocs     float64 `json:"allocs_per_packet"`
	GCs        uint32  `json:"gcs"`
	Goroutines int     `json:"goroutines"`
	P50        float64 `json:"delay_p50_us"`
	P99        float64 `json:"delay_p99_us"`
	P999       float64 `json:"delay_p999_us"`
	Loss       float64 `json:"loss"` // 0 to 1
	Duplicates uint64  `json:"duplicates"`
	RSS        int64   `json:"rss_bytes"`
	Decrypted  uint64  `json:"decrypted"`
	Faults     faults  `json:"faults"`
	// What the loop of the virtual users needed itself, without its waiting.
	UsersBusy float64 `json:"users_busy"`
	LateP99   float64 `json:"users_late_p99_us"`
	Skipped   uint64  `json:"users_skipped"`
}

// field is one server with everything that is connected to it.
type field struct {
	pump  *pump
	rig   rig
	mu    sync.Mutex // guards users while they connect
	users []user
}

// open starts a target for that many clients.
func open(ctx context.Context, t target, clients int, place placing) (f *field, err error) {
	f = &field{}
	if f.pump, err = newPump(clients, openEvery); err != nil {
		return nil, err
	}
	d, err := newDialer(f.pump)
	if err == nil {
		f.rig, err = t.start(ctx, d, place)
	}
	if err != nil {
		return nil, errors.Join(err, f.pump.close())
	}

	return f, nil
}

// close ends clients, server and loop.
func (f *field) close() (err error) {
	for _, u := range f.users {
		err = errors.Join(err, u.close())
	}

	return errors.Join(err, f.rig.close(), f.pump.close())
}

// connect makes n connections, a few at a time.
func (f *field) connect(ctx context.Context, n int, make func(ctx context.Context, i int) ([]user, error)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connectAtOnce)
	for i := range n {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, connectTime)
			defer cancel()
			users, err := make(ctx, i)
			if err != nil {
				return err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.users = append(f.users, users...)

			return nil
		})
	}

	return group.Wait()
}

// measure runs one target once under a load.
func measure(ctx context.Context, t target, l load, repeat int) (s sample, err error) {
	f, err := open(ctx, t, 2*l.pairs, l.place)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	err = f.connect(ctx, l.pairs, func(ctx context.Context, i int) ([]user, error) {
		pair, err := f.rig.pair(ctx, fmt.Sprint(i))

		return pair[:], err
	})
	if err != nil {
		return s, fmt.Errorf("connect: %w", err)
	}
	f.pump.with(func() {
		f.pump.spin, f.pump.tick = l.place.spin, l.place.tick
		for _, u := range f.users {
			u.media().sending = full
		}
	})
	if err := f.hear(ctx); err != nil {
		return s, err
	}
	if err := sleep(ctx, l.warmup); err != nil {
		return s, err
	}
	s.Repeat = repeat

	return s, f.count(ctx, l.seconds, &s)
}

// hear waits until every client has heard its partner's picture and voice.
func (f *field) hear(ctx context.Context) error {
	for deadline := time.Now().Add(hearTime); ; {
		deaf := 0
		f.pump.with(func() {
			for _, u := range f.users {
				if c := u.media(); !c.in[audio].known || !c.in[video].known {
					deaf++
				}
			}
		})
		if deaf == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d clients hear nothing of their partner after %v", deaf, len(f.users), hearTime)
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// processTime is what a process has had of its processors. total is exact to
// the nanosecond where the kernel says so; user and system are ticks.
type processTime struct{ total, user, system time.Duration }

func (t processTime) since(before processTime) processTime {
	return processTime{t.total - before.total, t.user - before.user, t.system - before.system}
}

// mark is what is read at both ends of the window.
type mark struct {
	server processTime
	heap   *heapReport
	idle   time.Duration // of the pump, since it began
	at     time.Duration // by the pump's clock
}

// count measures for a span of time. The server's report costs it something, so
// it is asked for outside of the time that counts.
func (f *field) count(ctx context.Context, span time.Duration, s *sample) error {
	var before, after mark
	var err error
	if before.heap, err = f.rig.heap(); err != nil {
		return err
	}
	if before.server, err = timeOf(f.rig.pid()); err != nil {
		return err
	}
	f.pump.with(func() {
		now := f.pump.now()
		f.pump.window = window{from: now, to: now + span}
		before.idle, before.at = f.pump.idle, now
	})
	if err := sleep(ctx, span); err != nil {
		return err
	}
	if after.server, err = timeOf(f.rig.pid()); err != nil {
		return err
	}
	f.pump.with(func() { after.idle, after.at = f.pump.idle, f.pump.now() })
	if after.heap, err = f.rig.heap(); err != nil {
		return err
	}
	if s.RSS, err = memoryOf(f.rig.pid()); err != nil {
		return err
	}
	if err := sleep(ctx, drainTime); err != nil {
		return err
	}
	f.pump.with(func() { s.take(f, span, &before, &after); err = f.pump.err })

	return err
}

// take fills in a sample; the pump's lock is held.
func (s *sample) take(f *field, span time.Duration, before, after *mark) {
	w, server := &f.pump.window, after.server.since(before.server)
	s.Sent, s.Packets, s.Duplicates, s.Loss = w.sentN, w.arrivedN, w.againN, w.loss()
	s.PerSecond = float64(s.Packets) / span.Seconds()
	s.Busy = server.total.Seconds() / span.Seconds()
	per := func(d time.Duration) float64 { return micros(d) / float64(max(s.Packets, 1)) }
	s.Micros = per(server.total)
	if ticks := server.user + server.system; ticks > 0 {
		share := float64(server.user) / float64(ticks)
		s.User, s.System = s.Micros*share, s.Micros*(1-share)
	}
	s.Allocs = -1
	if before.heap != nil && after.heap != nil {
		s.Allocs = float64(after.heap.Mallocs-before.heap.Mallocs) / float64(max(s.Packets, 1))
		s.GCs, s.Goroutines = after.heap.GCs-before.heap.GCs, after.heap.Goroutines
	}
	s.P50, s.P99, s.P999 = micros(w.delay.quantile(0.5)), micros(w.delay.quantile(0.99)), micros(w.delay.quantile(0.999))
	s.UsersBusy = 1 - (after.idle-before.idle).Seconds()/(after.at-before.at).Seconds()
	s.LateP99, s.Skipped = micros(w.lateness.quantile(0.99)), w.skipped
	for _, u := range f.users {
		s.Faults.add(u.media().faults)
		s.Decrypted += u.media().opened
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
