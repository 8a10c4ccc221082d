package sfu

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

// TestEverythingAtOnce: offers, rooms and the end of some peers come from
// everywhere at the same time. Whatever wins, calls end, nothing is left in
// the rooms, and an error is one of ours.
func TestEverythingAtOnce(t *testing.T) {
	e := newTestEngine(t)
	const peers = 8
	var running sync.WaitGroup
	for i := range peers {
		p, err := e.NewPeer()
		if err != nil {
			t.Fatal(err)
		}
		room := fmt.Sprint(i / 2)
		check := func(what string, err error) {
			if coded := (*Error)(nil); err != nil && !errors.As(err, &coded) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for range 2 {
			running.Go(func() {
				_, err := p.Answer(chromium(t))
				check("answer", err)
			})
			running.Go(func() {
				for range 50 {
					check("join", p.Join(room))
					p.Leave()
				}
				check("join", p.Join(room))
			})
			running.Go(func() {
				for range i * i * 1000 { // some end early, some late
					p.State()
				}
				check("close", p.Close())
			})
		}
		running.Go(func() { <-p.Done() })
	}
	running.Wait()
	if s := e.Stats(); s.Peers != 0 || s.Rooms != 0 || s.Pairs != 0 {
		t.Errorf("left: %+v", s)
	}
}
