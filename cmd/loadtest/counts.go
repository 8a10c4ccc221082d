package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// counts is what the couples of a run have met with so far.
type counts struct {
	mu      sync.Mutex // guards all that follows
	online  int
	sides   int // matches, once for each side
	checked int // calls of which a side looked at its partner's media
	deaf    int // of those without sound
	blind   int // of those without a picture
	connect histogram
	media   histogram
	errors  map[string]int // by code
	first   map[string]string
	said    int
	lines   int // that arrived
	faults  faults
	packets uint64 // decrypted and found good
}

func newCounts() *counts { return &counts{errors: map[string]int{}, first: map[string]string{}} }

func (c *counts) do(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// fail counts an error by its code and keeps the first text of each.
func (c *counts) fail(err error) {
	c.do(func() {
		code := codeOf(err)
		if c.errors[code]++; c.errors[code] == 1 {
			c.first[code] = err.Error()
		}
	})
}

func (c *counts) present(change int) { c.do(func() { c.online += change }) }

func (c *counts) matched() { c.do(func() { c.sides++ }) }

func (c *counts) lineSaid() { c.do(func() { c.said++ }) }

func (c *counts) lineHeard() { c.do(func() { c.lines++ }) }

// connected notes how long it took from the offer to SRTP's keys.
func (c *counts) connected(after time.Duration) { c.do(func() { c.connect.add(after) }) }

// firstMedia notes the time from a match to the partner's first picture.
func (c *counts) firstMedia(after time.Duration) { c.do(func() { c.media.add(after) }) }

// judged notes whether a side of a call heard and saw its partner.
func (c *counts) judged(heard, seen bool) {
	c.do(func() {
		c.checked++
		if !heard {
			c.deaf++
		}
		if !seen {
			c.blind++
		}
	})
}

// took adds what a client that leaves has found of its packets.
func (c *counts) took(f *faults, packets uint64) {
	c.do(func() {
		c.faults.add(*f)
		c.packets += packets
	})
}

// times are quantiles in milliseconds.
type times struct {
	N   uint64  `json:"n"`
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func timesOf(h *histogram) times {
	ms := func(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / float64(time.Millisecond) }

	return times{N: h.n, P50: ms(h.quantile(0.5)), P95: ms(h.quantile(0.95)), P99: ms(h.quantile(0.99)), Max: ms(h.max)}
}

func (t times) cells() []string {
	ms := func(v float64) string { return fmt.Sprintf("%.1f", v) }

	return []string{fmt.Sprint(t.N), ms(t.P50), ms(t.P95), ms(t.P99), ms(t.Max)}
}

// pairsReport is all that `loadtest pairs` finds; --json writes it.
type pairsReport struct {
	URL     string  `json:"url"`
	Couples int     `json:"couples"`
	Seconds float64 `json:"seconds"`
	Matches int     `json:"matches"`
	Connect times   `json:"offer_to_keys"`
	Media   times   `json:"match_to_first_picture"`
	Delay   times   `json:"packet_delay"`
	// Checked are sides of calls of a second and more; the others are those of them
	// that got no sound or no picture of their partner.
	Checked        int               `json:"checked"`
	NoAudio        int               `json:"no_audio"`
	NoVideo        int               `json:"no_video"`
	ChatSaid       int               `json:"chat_said"`
	ChatHeard      int               `json:"chat_heard"`
	Packets        uint64            `json:"packets"`
	Faults         faults            `json:"faults"`
	Errors         map[string]int    `json:"errors"`
	ErrorTexts     map[string]string `json:"error_texts,omitempty"` // the first of each code
	GoroutinesLeft int               `json:"goroutines_left"`       // more than there were at the beginning
}

// fill takes over what was counted.
func (r *pairsReport) fill(c *counts) {
	c.do(func() {
		r.Matches = c.sides / 2
		r.Connect, r.Media = timesOf(&c.connect), timesOf(&c.media)
		r.Checked, r.NoAudio, r.NoVideo = c.checked, c.deaf, c.blind
		r.ChatSaid, r.ChatHeard = c.said, c.lines
		r.Packets, r.Faults = c.packets, c.faults
		r.Errors, r.ErrorTexts = maps.Clone(c.errors), maps.Clone(c.first)
	})
}

// progress is one line about how it goes.
func (c *counts) progress(after time.Duration) (text string) {
	c.do(func() {
		failed := 0
		for _, n := range c.errors {
			failed += n
		}
		t := timesOf(&c.media)
		text = fmt.Sprintf("%3.0f s: %d online, %d matches, first picture p50 %.1f ms p99 %.1f ms, %d errors",
			after.Seconds(), c.online, c.sides/2, t.P50, t.P99, failed)
	})

	return text
}

// String is the report for people.
func (r *pairsReport) String() string {
	row := func(name string, t times) []string { return append([]string{name}, t.cells()...) }
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d couples for %.0f s, %d matches\n\n", r.URL, r.Couples, r.Seconds, r.Matches)
	b.WriteString(table([][]string{
		{"milliseconds", "n", "p50", "p95", "p99", "max"},
		row("offer to keys", r.Connect), row("match to first picture", r.Media), row("packet to partner", r.Delay),
	}))
	fmt.Fprintf(&b, "\n%d sides of calls checked: %d without sound, %d without picture. %d packets decrypted, wrong: %d by header, %d by decryption, %d from strangers. %d of %d chat lines arrived.\n",
		r.Checked, r.NoAudio, r.NoVideo, r.Packets, r.Faults.Header, r.Faults.Decrypt, r.Faults.Stray, r.ChatHeard, r.ChatSaid)
	for _, code := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(&b, "%d x %s: %s\n", r.Errors[code], code, r.ErrorTexts[code])
	}

	return b.String()
}

// verdict is an error if what was measured is not what it should be.
func (r *pairsReport) verdict() error {
	switch {
	case r.Matches == 0:
		return fmt.Errorf("nobody was matched")
	case r.Faults.total() > 0:
		return fmt.Errorf("%d packets were wrong", r.Faults.total())
	case r.NoAudio+r.NoVideo > 0:
		return fmt.Errorf("media is missing in some calls")
	case r.GoroutinesLeft > 0:
		return fmt.Errorf("%d goroutines of our own are left", r.GoroutinesLeft)
	}

	return nil
}
