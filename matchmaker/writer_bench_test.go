package matchmaker

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkWriter has a match and the end of a former one every 100 us, as 20,000 people do who talk for a second each, over a real disk.
// It shows how many transactions a second that makes, how many changes each has, and what the match path sees of it.
func BenchmarkWriter(b *testing.B) {
	m := open(b, Config{})
	started, n := time.Now(), 0
	var busy time.Duration
	var rooms []*Room
	for b.Loop() {
		a, c := ticket(fmt.Sprint("a", n), "x"), ticket(fmt.Sprint("c", n), "x")
		n++
		if wait := time.Until(started.Add(time.Duration(n) * 100 * time.Microsecond)); wait > 0 {
			time.Sleep(wait)
		}
		at := time.Now()
		f := find(b, m, a)
		for m.Waiting() == 0 {
			time.Sleep(time.Microsecond)
		}
		r, err := m.Find(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		busy += time.Since(at)
		<-f.done
		if rooms = append(rooms, r); len(rooms) > 10000 {
			rooms[0].Leave("next")
			rooms = rooms[1:]
		}
	}
	s, took := m.Stats(), time.Since(started).Seconds()
	b.ReportMetric(float64(s.Writes)/took, "writes/s")
	b.ReportMetric(float64(s.Written)/float64(max(s.Writes, 1)), "changes/write")
	b.ReportMetric(float64(busy.Microseconds())/float64(n), "us/match")
}
