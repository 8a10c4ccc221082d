package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"
)

const matchHelp = `usage: loadtest match [flags]

Clients without media connect by WebSocket and churn: they join the line with their
topics and languages, are matched, talk for a while, press Next or leave and come
back. Measured is how long after a match its message is written, inside the server,
and read by the client. The server is this program again, with database, matching
and signaling as in the real one; with --url it is any other, which tells nothing
from inside.
`

type matchOptions struct {
	url                   string
	clients               int
	seconds, warmup, talk time.Duration
	json                  string
}

func parseMatch(args []string, out io.Writer) (o matchOptions, err error) {
	flags := flag.NewFlagSet("loadtest match", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.url, "url", "", "`address` of a server; empty starts one")
	flags.IntVar(&o.clients, "clients", 10_000, "how many `clients`")
	seconds := flags.Float64("seconds", 30, "`seconds` to measure")
	warmup := flags.Float64("warmup", 10, "`seconds` of churning before that")
	talk := flags.Float64("talk", 15, "`seconds` after which one ends a call, on average")
	flags.StringVar(&o.json, "json", "", "also write everything to this `file`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			usage(out, matchHelp, flags)
		}

		return o, err
	}
	u, err := url.Parse(o.url)
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("what is %q? There are flags only: see loadtest match --help", flags.Arg(0))
	case err != nil || o.url != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		return o, fmt.Errorf("--url %q: give an address as http://localhost:8080", o.url)
	case o.clients < 2 || o.clients > 100_000:
		return o, fmt.Errorf("--clients %d: give 2 to 100000", o.clients)
	case *seconds < 0.1 || *seconds > 24*3600:
		return o, fmt.Errorf("--seconds %v: give 0.1 to 86400, a day", *seconds)
	case *warmup < 0 || *warmup > 3600:
		return o, fmt.Errorf("--warmup %v: give 0 to 3600", *warmup)
	case *talk < 0.1 || *talk > 3600:
		return o, fmt.Errorf("--talk %v: give 0.1 to 3600", *talk)
	}
	o.url = strings.TrimRight(o.url, "/")
	o.seconds, o.warmup, o.talk = inSeconds(*seconds), inSeconds(*warmup), inSeconds(*talk)

	return o, nil
}

// match is `loadtest match`.
func match(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parseMatch(args, out)
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

// run starts a server if there is none, and measures.
func (o *matchOptions) run(ctx context.Context, progress io.Writer) (r *matchReport, err error) {
	r = &matchReport{
		Processors: runtime.NumCPU(), Kernel: kernel(), Go: runtime.Version(),
		URL: o.url, Clients: o.clients, Seconds: o.seconds.Seconds(), Talk: o.talk.Seconds(),
	}
	var server *matchChild
	if o.url == "" {
		if server, err = startMatchChild(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, server.close()) }()
		o.url = server.url
		if r.RSSBefore, err = memoryOf(server.pid()); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	c := newChurn(o.url, o.clients, o.talk, isLoopback(o.url))
	clients, err := c.enterAll(ctx, o.clients)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer c.leaveAll(clients)
	r.Connect = time.Since(began).Seconds()
	fmt.Fprintf(progress, "%d clients are connected after %.0f s; they churn for %.0f s\n", o.clients, r.Connect, (o.warmup + o.seconds).Seconds())
	var cpu processTime
	err = c.run(ctx, clients, o.warmup, o.seconds, func() (err error) {
		if server == nil {
			return nil
		}
		if cpu, err = timeOf(server.pid()); err != nil {
			return err
		}
		_, err = server.do(matchOrder{Begin: true})

		return err
	}, func() (err error) {
		if server == nil {
			return nil
		}
		if r.Server, err = server.do(matchOrder{}); err != nil {
			return err
		}
		after, err := timeOf(server.pid())
		r.CPU = (after.total - cpu.total).Seconds() / o.seconds.Seconds()
		if err != nil {
			return err
		}
		r.RSS, err = memoryOf(server.pid())

		return err
	})
	if err != nil {
		return nil, err
	}
	r.fill(c)

	return r, nil
}

// isLoopback says if a server is on this machine.
func isLoopback(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())

	return err == nil && addr.Is4() && addr.IsLoopback()
}

// matchReport is all that `loadtest match` finds; --json writes it.
type matchReport struct {
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`

	URL     string  `json:"url,omitempty"` // empty: the server was ours
	Clients int     `json:"clients"`
	Seconds float64 `json:"seconds"`
	Talk    float64 `json:"talk_seconds"`
	Connect float64 `json:"connect_seconds"` // until all were connected

	Matches   uint64       `json:"matches"`
	PerSecond float64      `json:"matches_per_second"`
	Seen      insideTimes  `json:"match_to_read"` // by clients; started_at has whole milliseconds, so up to one is too much
	Server    *matchInside `json:"server,omitempty"`

	RSSBefore int64   `json:"rss_before_bytes,omitempty"`
	RSS       int64   `json:"rss_bytes,omitempty"`
	CPU       float64 `json:"processors_busy,omitempty"` // by the server

	Errors     map[string]int    `json:"errors"`
	ErrorTexts map[string]string `json:"error_texts,omitempty"` // the first of each code
}

// fill takes over what the clients have seen.
func (r *matchReport) fill(c *churn) {
	c.do(func() {
		us := func(q float64) float64 { return float64(c.seen.quantile(q)) / float64(time.Microsecond) }
		r.Seen = insideTimes{N: c.seen.n, P50: us(0.5), P99: us(0.99), P999: us(0.999), Max: us(1)}
		r.Matches = c.matches / 2
		r.Errors, r.ErrorTexts = maps.Clone(c.errors), maps.Clone(c.first)
	})
	if r.Server != nil {
		r.Matches = r.Server.Matches
	}
	r.PerSecond = float64(r.Matches) / r.Seconds
}

// String is the report for people.
func (r *matchReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d clients, each ends a call after %g s on average: %d matches in %.0f s, %.0f a second\n\n", r.Clients, r.Talk, r.Matches, r.Seconds, r.PerSecond)
	row := func(name string, t insideTimes) []string {
		ms := func(us float64) string { return fmt.Sprintf("%.2f", us/1000) }

		return []string{name, fmt.Sprint(t.N), ms(t.P50), ms(t.P99), ms(t.P999), ms(t.Max)}
	}
	rows := [][]string{{"milliseconds from the match", "n", "p50", "p99", "p99.9", "max"}}
	if r.Server != nil {
		rows = append(rows, row("until its message is written", r.Server.Sent))
	}
	b.WriteString(table(append(rows, row("until the client has read it", r.Seen))))
	if s := r.Server; s != nil {
		fmt.Fprintf(&b, "\nServer: %.2f processors busy, %.0f MB (%.1f KB a client), %d goroutines, %d messages received, %d refused, %d clients dropped, %d waiting at the end, %d database writes, %d collections.\n",
			r.CPU, float64(r.RSS)/(1<<20), float64(r.RSS-r.RSSBefore)/float64(r.Clients)/1024, s.Goroutines, s.Messages, s.Refused, s.Dropped, s.Waiting, s.Writes, s.GCs)
	}
	fmt.Fprintf(&b, "Server and clients share the %d processors of this machine: what clients see is their own delay, too.\n", r.Processors)
	for _, code := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(&b, "%d x %s: %s\n", r.Errors[code], code, r.ErrorTexts[code])
	}

	return b.String()
}

// verdict is an error if what was measured is not what it should be.
func (r *matchReport) verdict() error {
	switch {
	case r.Matches == 0:
		return errors.New("nobody was matched")
	case len(r.Errors) > 0:
		return errors.New("some clients had to give up")
	}

	return nil
}
