package matchmaker

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"smalltalk/store"
)

// crowd returns n tickets of which no two are compatible, as all who wait are.
func crowd(n int) []Ticket {
	tickets := make([]Ticket, n)
	for i := range tickets {
		tickets[i] = Ticket{
			Session: store.NewSessionID(), User: store.NewUserID(),
			Topics: []store.Category{store.Category(fmt.Sprint("a", i)), store.Category(fmt.Sprint("b", i)), store.Category(fmt.Sprint("c", i))},
			Langs:  []string{"en"},
		}
	}
	return tickets
}

// BenchmarkFind is the whole of a match and its end, with the rooms written behind: two Finds and a Leave.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(fmt.Sprint("waiting=", n), func(b *testing.B) {
			m := open(b, Config{DB: openDB(b)})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for _, t := range crowd(n) {
				go func() { _, _ = m.Find(ctx, t) }() // until ctx ends
			}
			for m.Waiting() < n {
				runtime.Gosched()
			}
			partners := make(chan *Room)
			next := make(chan struct{})
			go func() {
				for range next {
					r, err := m.Find(ctx, Ticket{Session: "y", User: store.NewUserID(), Topics: []store.Category{"common"}})
					if err != nil {
						b.Error(err)
					}
					partners <- r
				}
			}()
			b.ReportAllocs()
			for b.Loop() {
				next <- struct{}{}
				r, err := m.Find(ctx, Ticket{Session: "x", User: store.NewUserID(), Topics: []store.Category{"common"}})
				if err != nil {
					b.Fatal(err)
				}
				<-partners
				r.Leave("next")
			}
			close(next)
			s := m.Stats()
			b.ReportMetric(float64(s.Matches)/float64(max(1, s.Writes)), "matches/write")
		})
	}
}
