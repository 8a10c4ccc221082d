package matchmaker

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"smalltalk/store"
)

var tables = flag.Bool("tables", false, "run the long measurements, which print tables")

var simulated = flag.Duration("day", 24*time.Hour, "how long the large server is simulated, with -tables")

const tableArrivals = 200_000

var tableLangs = []string{"en", "es", "pt", "fr", "de", "ru", "ar", "hi", "ja", "tr"}

// crowdMaker makes up people.
type crowdMaker struct {
	rng  *rand.Rand
	zipf *rand.Zipf
	n    int
}

func newCrowdMaker() *crowdMaker {
	rng := rand.New(rand.NewPCG(1, 2))
	return &crowdMaker{rng: rng, zipf: rand.NewZipf(rng, 1.1, 1, 99_999)}
}

// ticket returns somebody new with 1 to 3 topics and one or two languages.
func (c *crowdMaker) ticket(topic func(i int) string) Ticket {
	c.n++
	t := Ticket{Session: store.NewSessionID(), User: store.NewUserID()}
	for i := range 1 + c.rng.IntN(3) {
		t.Topics = append(t.Topics, store.Category(topic(i)))
	}
	for range 1 + c.rng.IntN(5)/4 {
		t.Langs = append(t.Langs, tableLangs[min(c.rng.IntN(10), c.rng.IntN(10))])
	}
	t.Topics, t.Langs = sortedSet(t.Topics), sortedSet(t.Langs)
	return t
}

// rare is somebody whose topics nobody else has thought of. People who could meet cannot both be in line, so that a million who are can only be
// such, but for the minute in which they are held.
func (c *crowdMaker) rare() Ticket {
	return c.ticket(func(i int) string { return fmt.Sprint("rare-", c.n, "-", i) })
}

// common is somebody whose topics are of a Zipf distribution over 100,000.
func (c *crowdMaker) common() Ticket {
	return c.ticket(func(int) string { return fmt.Sprint("topic-", c.zipf.Uint64()) })
}

func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// times are durations of which percentiles are asked.
type times []time.Duration

func (t times) at(p float64) time.Duration { return t[min(int(p*float64(len(t))), len(t)-1)] }

func (t times) mean() time.Duration {
	sum := time.Duration(0)
	for _, d := range t {
		sum += d
	}
	return sum / time.Duration(len(t))
}

// bench is a line in which n people wait.
type bench struct {
	c   *crowdMaker
	l   *line
	now time.Duration
	in  []Ticket // some of those in line
}

// join has somebody come and returns what that took, and whether he has met somebody.
func (b *bench) join(t Ticket) (time.Duration, bool) {
	b.now += time.Millisecond
	a := ask(t, time.Time{})
	start := time.Now()
	b.l.tick(b.now)
	_, ok := b.l.join(b.now, a)
	return time.Since(start), ok
}

// fill has n people wait, and returns the bytes that each costs.
func (b *bench) fill(n int, people func() Ticket) float64 {
	before := inUse()
	for i := range n {
		t := people()
		b.join(t)
		if i%(n/500) == 0 {
			b.in = append(b.in, t)
		}
	}
	return float64(inUse()-before) / float64(n)
}

// arrivals has people come of whom about half find somebody, so that the number of those in line stays what it is.
func (b *bench) arrivals(n int) times {
	took := make(times, 0, n)
	for range n {
		var t Ticket
		switch k := b.c.rng.IntN(20); {
		case k == 0:
			t = b.c.rare()
			t.Topics = nil // the oldest of the language
		case k < 4:
			t = b.c.common()
		case k < 12:
			t = b.c.rare()
			i := b.c.rng.IntN(len(b.in)) // somebody like one in line
			t.Topics, t.Langs = b.in[i].Topics, b.in[i].Langs
			b.in = slices.Delete(b.in, i, i+1)
		default:
			t = b.c.rare()
			b.in = append(b.in, t)
		}
		if len(b.in) == 0 {
			b.in = append(b.in, t)
		}
		d, _ := b.join(t)
		took = append(took, d)
	}
	slices.Sort(took)
	return took
}

// blocked has somebody come who takes any topic, and who has blocked the 999 people who have waited longest.
func (b *bench) blocked(t *testing.T) times {
	var took times
	var blocks []store.UserID
	all := b.l.topics.all.at(topicAll)
	for k := all.chain; k != 0 && len(blocks) < 999; k = b.l.buckets.at(k).next {
		if b.l.langs.all.at(b.l.buckets.at(k).lang).text != "en" {
			continue
		}
		for i := b.l.buckets.at(k).first; i != 0 && len(blocks) < 999; i = b.l.younger(i) {
			blocks = append(blocks, b.l.named.at(b.l.links.at(i).owner).user)
		}
	}
	for range 200 {
		x := Ticket{Session: "x", User: store.NewUserID(), Langs: []string{"en"}, Blocks: blocks}
		d, ok := b.join(x)
		if len(blocks) == 999 && !ok {
			t.Fatal("nobody is left to meet")
		}
		b.l.cancel(b.now, x.User)
		took = append(took, d)
	}
	slices.Sort(took)
	return took
}

// drain lets those who were held meet, and returns the pairs per second and the longest single step.
func (b *bench) drain() (rate float64, longest time.Duration) {
	b.now += b.l.holdUntil
	start, pairs := time.Now(), 0
	for b.l.held() != 0 {
		step := time.Now()
		pairs += len(b.l.tick(b.now))
		longest = max(longest, time.Since(step))
	}
	return float64(pairs) / time.Since(start).Seconds(), longest
}

// TestBenchTable measures the decision alone: no goroutine of Find, no lock, no room, no disk.
func TestBenchTable(t *testing.T) {
	sizes := []int{1000, 100_000, 1_000_000}
	arrivals := tableArrivals
	if !*tables {
		sizes, arrivals = []int{1000}, 1000
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%9s |%30s %32s |%10s |%20s |%26s\n", "", "an arrival", "", "B/ticket", "999 blocked ahead", "end of the hold")
	fmt.Fprintf(&out, "%9s |%10s %9s %9s %9s %9s %11s |%4s %5s |%10s %9s |%9s %8s %8s\n",
		"in line", "mean", "p50", "p99", "p99.9", "max", "fill", "rare", "Zipf", "p50", "p99", "pairs/s", "longest", "left")
	for _, n := range sizes {
		rare := &bench{c: newCrowdMaker(), l: newLine(15*time.Second, 0)}
		start := time.Now()
		perRare := rare.fill(n, rare.c.rare)
		fill := time.Since(start) / time.Duration(n)
		if n == sizes[len(sizes)-1] && rare.l.waiting() != n {
			t.Fatalf("%d of %d wait", rare.l.waiting(), n)
		}
		took := rare.arrivals(arrivals)
		blocked := rare.blocked(t)
		rare = nil
		zipf := &bench{c: newCrowdMaker(), l: newLine(15*time.Second, time.Hour)}
		perZipf := zipf.fill(n, zipf.c.common)
		rate, longest := zipf.drain()
		fmt.Fprintf(&out, "%9d |%10v %9v %9v %9v %9v %11v |%4.0f %5.0f |%10v %9v |%9.0f %8v %8d\n",
			n, took.mean(), took.at(0.5), took.at(0.99), took.at(0.999), took.at(1).Round(time.Microsecond), fill,
			perRare, perZipf, blocked.at(0.5).Round(100), blocked.at(0.99).Round(100), rate, longest.Round(time.Microsecond), zipf.l.waiting())
	}
	t.Log(out.String())
}
