package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table lays out rows of cells, the first column to the left and the others to
// the right. The first row is the heading.
func table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}

	return b.String()
}

// cell shows a spread with so many decimals, with its ends if there are any.
func (s spread) cell(decimals int) string {
	if s.Min == s.Max {
		return fmt.Sprintf("%.*f", decimals, s.Median)
	}

	return fmt.Sprintf("%.*f [%.*f-%.*f]", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

// costs is the table of what was measured.
func (r *relayReport) costs() string {
	rows := [][]string{{"target", "CPU us/packet", "user+sys", "one CPU %", "alloc/packet", "p50 us", "p99 us", "p99.9 us", "loss %", "RSS MB", "packets/s", "users busy %"}}
	for i := range r.Targets {
		t := &r.Targets[i]
		if len(t.Samples) == 0 {
			continue
		}
		allocs := t.spread(func(s *sample) float64 { return s.Allocs })
		shown := fmt.Sprintf("%.2f", allocs.Median)
		if allocs.Median < 0 {
			shown = "-"
		}
		rows = append(rows, []string{
			t.Name,
			t.spread(func(s *sample) float64 { return s.Micros }).cell(1),
			fmt.Sprintf("%.1f+%.1f", t.spread(func(s *sample) float64 { return s.User }).Median, t.spread(func(s *sample) float64 { return s.System }).Median),
			fmt.Sprintf("%.0f", t.spread(func(s *sample) float64 { return 100 * s.Busy }).Median),
			shown,
			t.spread(func(s *sample) float64 { return s.P50 }).cell(0),
			t.spread(func(s *sample) float64 { return s.P99 }).cell(0),
			t.spread(func(s *sample) float64 { return s.P999 }).cell(0),
			t.spread(func(s *sample) float64 { return 100 * s.Loss }).cell(2),
			fmt.Sprintf("%.0f", t.spread(func(s *sample) float64 { return float64(s.RSS) / (1 << 20) }).Median),
			fmt.Sprintf("%.0f", t.spread(func(s *sample) float64 { return s.PerSecond }).Median),
			fmt.Sprintf("%.0f", t.spread(func(s *sample) float64 { return 100 * s.UsersBusy }).Median),
		})
	}

	return table(rows)
}

// comparison is the table of ratios.
func (r *relayReport) comparison() string {
	head := append(make([]string, 0, 1+len(baselines)), "CPU per packet")
	for _, name := range baselines {
		head = append(head, "/ "+name)
	}
	rows := [][]string{head}
	for i := range r.Targets {
		t := &r.Targets[i]
		if len(t.Samples) == 0 {
			continue
		}
		row := append(make([]string, 0, len(head)), t.Name)
		for _, name := range baselines {
			cell := "-"
			if ratio, ok := t.Ratios[name]; ok {
				cell = ratio.cell(2)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}

	return table(rows)
}

// idle is the table of what idle clients cost.
func (r *relayReport) idle() string {
	rows := [][]string{{"idle clients", "number", "RSS MB", "MB per client", "goroutines"}}
	for _, t := range r.Targets {
		if s := t.Idle; s != nil {
			rows = append(rows, []string{
				t.Name, fmt.Sprint(s.Clients), fmt.Sprintf("%.1f", float64(s.After)/(1<<20)),
				fmt.Sprintf("%.3f", float64(s.PerClient)/(1<<20)), fmt.Sprint(s.Goroutines),
			})
		}
	}
	if len(rows) == 1 {
		return ""
	}

	return table(rows)
}

// doubts are reasons to trust the figures less, one a line.
func (r *relayReport) doubts() (lines []string) {
	if !r.Machine.Separate {
		lines = append(lines, "There is one processor only: servers and virtual users share it, so delays are mostly theirs.")
	}
	busy, late, skipped := 0.0, 0.0, uint64(0)
	var bad faults
	for _, t := range r.Targets {
		if t.Skipped != "" {
			lines = append(lines, fmt.Sprintf("%s was left out: %s.", t.Name, t.Skipped))
		}
		for _, s := range t.Samples {
			busy, late, skipped = max(busy, s.UsersBusy), max(late, s.LateP99), skipped+s.Skipped
			bad.add(s.Faults)
		}
	}
	if bad.total() > 0 {
		lines = append(lines, fmt.Sprintf("PACKETS WERE WRONG: %d by header, %d by decryption, %d from strangers.", bad.Header, bad.Decrypt, bad.Stray))
	}
	if skipped > 0 {
		lines = append(lines, fmt.Sprintf("The virtual users could not keep up and left out %d turns: use fewer pairs.", skipped))
	}
	if busy > 0 {
		lines = append(lines, fmt.Sprintf("The virtual users were busy for at most %.0f %% of the time, and sent at most %.1f ms late (p99).", 100*busy, late/1000))
	}

	return lines
}
