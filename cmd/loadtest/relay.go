package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

const relayHelp = `usage: loadtest relay [flags]

Starts relays as processes of their own, one after the other, and has pairs of
virtual users talk through each: per client 27.5 frames/s of 4 packets of 1100
bytes, 50 audio packets/s of 90 bytes, and feedback 10 times a second. Servers run
on one processor and the virtual users on the others. Everything is measured in
one run, in turns, so that the rows can be compared: trust the ratios, not the
microseconds. Only loopback addresses are used.

targets:
`

type relayOptions struct {
	load
	repeat  int
	targets []target
	idle    int
	json    string
}

func parseRelay(args []string, out io.Writer) (o relayOptions, err error) {
	flags := flag.NewFlagSet("loadtest relay", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	pairs := flags.Int("pairs", 50, "how many `pairs` talk at a time")
	seconds := flags.Float64("seconds", 4, "`seconds` that each measurement lasts")
	warmup := flags.Float64("warmup", 2, "`seconds` of talk before it begins")
	repeat := flags.Int("repeat", 3, "`times` that each target is measured")
	names := flags.String("targets", "", "comma-separated `list` of targets; empty is all")
	idle := flags.Int("idle", 0, "instead connect that many `clients` without a partner and print what one takes of memory")
	file := flags.String("json", "", "also write everything to this `file`")
	realtime := flags.Bool("realtime", false, "run servers and virtual users before all else (SCHED_RR; root): for a machine that has other work")
	spin := flags.Bool("spin", false, "virtual users never sleep while they are measured: servers need not wake them up, but a processor that shares a core with theirs is slower")
	tick := flags.Duration("tick", 0, "virtual users send only every so often, such as `1ms`, in bursts, which batches make cheaper; 0 is each at its own time")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			usage(out, relayHelp+listTargets(), flags)
		}

		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("what is %q? There are flags only: see loadtest relay --help", flags.Arg(0))
	case *pairs < 1 || *pairs > 2000:
		return o, fmt.Errorf("--pairs %d: give 1 to 2000", *pairs)
	case *seconds < 0.1 || *seconds > 600:
		return o, fmt.Errorf("--seconds %v: give 0.1 to 600", *seconds)
	case *warmup < 0 || *warmup > 600:
		return o, fmt.Errorf("--warmup %v: give 0 to 600", *warmup)
	case *repeat < 1:
		return o, fmt.Errorf("--repeat %d: give 1 or more", *repeat)
	case *tick < 0 || *tick > 100*time.Millisecond:
		return o, fmt.Errorf("--tick %v: give 0 to 100ms", *tick)
	case *idle < 0 || *idle > 10000:
		return o, fmt.Errorf("--idle %d: give 1 to 10000", *idle)
	}
	o = relayOptions{repeat: *repeat, idle: *idle, json: *file, load: load{pairs: *pairs, seconds: inSeconds(*seconds), warmup: inSeconds(*warmup)}}
	o.place.realtime, o.place.spin, o.place.tick = *realtime, *spin, *tick
	o.targets, err = pick(*names)

	return o, err
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func listTargets() string {
	var b strings.Builder
	for _, t := range targets() {
		fmt.Fprintf(&b, "  %-10s %s\n", t.name, t.what)
	}

	return b.String()
}

// relay is `loadtest relay`.
func relay(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parseRelay(args, out)
	if err != nil {
		return err
	}
	raiseFiles()
	if o.place.processors, o.place.separate, err = split(); err != nil {
		return err
	}
	o.place.spin = o.place.spin && o.place.separate
	if err := o.place.apply(o.place.realtime); err != nil {
		return err
	}
	report := &relayReport{Machine: thisMachine(o.place), Pairs: o.pairs, Seconds: o.seconds.Seconds()}
	for _, t := range o.targets {
		r := relayResult{Name: t.name, What: t.what}
		if t.missing != nil {
			if err := t.missing(); err != nil {
				r.Skipped = err.Error()
				fmt.Fprintf(progress, "%s is left out: %v\n", t.name, err)
			}
		}
		report.Targets = append(report.Targets, r)
	}
	if o.idle > 0 {
		err = o.runIdle(ctx, report, progress)
	} else {
		err = o.run(ctx, report, progress)
	}
	if err != nil {
		return err
	}
	report.print(out)
	if o.json != "" {
		return writeJSON(o.json, report)
	}

	return nil
}

// run measures all targets in turn, again and again; every second time from the
// last to the first, so that a machine that gets slower is fair to all.
func (o *relayOptions) run(ctx context.Context, report *relayReport, progress io.Writer) error {
	for repeat := range o.repeat {
		for i := range o.targets {
			if repeat%2 == 1 {
				i = len(o.targets) - 1 - i
			}
			r := &report.Targets[i]
			if r.Skipped != "" {
				continue
			}
			s, err := measure(ctx, o.targets[i], o.load, repeat)
			if err != nil {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
			r.Samples = append(r.Samples, s)
			fmt.Fprintf(progress, "%d/%d %-10s %5.1f us/packet, p99 %.0f us, loss %.2f %%\n", repeat+1, o.repeat, r.Name, s.Micros, s.P99, 100*s.Loss)
		}
	}
	report.compare()

	return nil
}

func (o *relayOptions) runIdle(ctx context.Context, report *relayReport, progress io.Writer) error {
	for i, t := range o.targets {
		r := &report.Targets[i]
		if r.Skipped != "" {
			continue
		}
		s, err := measureIdle(ctx, t, o.idle, o.place)
		if errors.Is(err, errNotAlone) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		r.Idle = &s
		fmt.Fprintf(progress, "%s: %d clients\n", r.Name, s.Clients)
	}

	return nil
}

// print writes the report for people.
func (r *relayReport) print(out io.Writer) {
	m := r.Machine
	fmt.Fprintf(out, "\n%d processors, Linux %s, %s; ", m.Processors, m.Kernel, m.Go)
	if text := r.idle(); text != "" {
		fmt.Fprintf(out, "connected clients without a partner\n\n%s\n", text)
	} else {
		fmt.Fprintf(out, "%d pairs, %.3g s each; median [min-max] of the repetitions\n\n%s\n%s\n", r.Pairs, r.Seconds, r.costs(), r.comparison())
	}
	for _, line := range r.doubts() {
		fmt.Fprintln(out, line)
	}
}
