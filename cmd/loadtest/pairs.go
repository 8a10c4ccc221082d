package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"
)

const pairsHelp = `usage: loadtest pairs [flags]

Couples of virtual users live on a server: they enter as guests, connect media,
pick a topic, are matched (with each other, or with whoever else waits there), talk
with sound and picture both ways, chat, press Next, and leave in the end. Every
packet is decrypted and looked at. On servers other than this machine's the limits
for an address apply; what is refused is tried again and counted.
`

const (
	// enterEvery spreads arrivals.
	enterEvery    = 20 * time.Millisecond
	progressEvery = 2 * time.Second
	// quietTime is how long what has been closed may take to end.
	quietTime = 2 * time.Second
)

type pairsOptions struct {
	url           string
	couples       int
	seconds, talk time.Duration
	topics        map[string]bool
	json          string
}

func parsePairs(args []string, out io.Writer) (o pairsOptions, err error) {
	flags := flag.NewFlagSet("loadtest pairs", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.url, "url", "http://localhost:8080", "`address` of the server")
	flags.IntVar(&o.couples, "couples", 10, "how many `couples`")
	seconds := flags.Float64("seconds", 30, "`seconds` until all leave")
	talk := flags.Float64("talk", 4, "`seconds` that a call lasts, about")
	topics := flags.String("topics", "", "comma-separated `list` of topic IDs to pick from; empty is all of the server's")
	flags.StringVar(&o.json, "json", "", "also write everything to this `file`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			usage(out, pairsHelp, flags)
		}

		return o, err
	}
	u, err := url.Parse(o.url)
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("what is %q? There are flags only: see loadtest pairs --help", flags.Arg(0))
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return o, fmt.Errorf("--url %q: give an address as http://localhost:8080", o.url)
	case o.couples < 1 || o.couples > 2000:
		return o, fmt.Errorf("--couples %d: give 1 to 2000", o.couples)
	case *seconds < 1 || *seconds > 7*24*3600:
		return o, fmt.Errorf("--seconds %v: give 1 to 604800, a week", *seconds)
	case *talk < 1 || *talk > 3600:
		return o, fmt.Errorf("--talk %v: give 1 to 3600", *talk)
	}
	o.url = strings.TrimRight(o.url, "/")
	o.seconds, o.talk, o.topics = inSeconds(*seconds), inSeconds(*talk), map[string]bool{}
	for id := range strings.SplitSeq(*topics, ",") {
		if id = strings.TrimSpace(id); id != "" {
			o.topics[id] = true
		}
	}

	return o, nil
}

// pairs is `loadtest pairs`.
func pairs(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parsePairs(args, out)
	if err != nil {
		return err
	}
	raiseFiles()
	report, err := o.run(ctx, progress)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s", report)
	if o.json != "" {
		err = writeJSON(o.json, report)
	}

	return errors.Join(err, report.verdict())
}

// run has all couples live until the time is up.
func (o *pairsOptions) run(ctx context.Context, progress io.Writer) (*pairsReport, error) {
	goroutines := runtime.NumGoroutine()
	p, err := newPump(2*o.couples, 1)
	if err != nil {
		return nil, err
	}
	p.with(func() { p.window = window{to: math.MaxInt64} })
	d, err := newDialer(p)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	shared := &couples{
		base: o.url, http: &http.Client{Transport: transport}, wanted: o.topics, talk: o.talk,
		pump: p, dialer: d, calls: &registry{calls: map[string]*callers{}}, count: newCounts(),
	}
	began := time.Now()
	shared.live(ctx, o, progress)
	report := &pairsReport{URL: o.url, Couples: o.couples, Seconds: time.Since(began).Seconds()}
	report.fill(shared.count)
	p.with(func() { report.Delay = timesOf(&p.window.delay) })
	if err := p.close(); err != nil {
		return nil, err
	}
	transport.CloseIdleConnections()
	report.GoroutinesLeft = left(goroutines)

	return report, nil
}

// live starts the guests, one after the other, and waits until all have left.
func (c *couples) live(ctx context.Context, o *pairsOptions, progress io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, o.seconds)
	defer cancel()
	began := time.Now()
	var guests sync.WaitGroup
	for i := range 2 * o.couples {
		guests.Go(func() {
			if sleep(ctx, time.Duration(i)*enterEvery) == nil {
				(&guest{couples: c, number: i}).life(ctx)
			}
		})
	}
	again := time.NewTicker(progressEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			fmt.Fprintln(progress, c.count.progress(time.Since(began)))
		case <-ctx.Done():
			guests.Wait()
			fmt.Fprintln(progress, c.count.progress(time.Since(began)))

			return
		}
	}
}

// left returns how many goroutines there are more than before, after those that
// are just ending have had their time.
func left(before int) int {
	for deadline := time.Now().Add(quietTime); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(lookEvery)
	}

	return max(runtime.NumGoroutine()-before, 0)
}

// couples is what all guests of one run share.
type couples struct {
	base   string
	http   *http.Client
	wanted map[string]bool // topics; empty is any of the server's
	talk   time.Duration
	pump   *pump
	dialer *dialer
	calls  *registry
	count  *counts
}
