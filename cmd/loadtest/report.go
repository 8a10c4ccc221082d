package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// relayReport is all that `loadtest relay` finds; --json writes it.
type relayReport struct {
	Machine machine       `json:"machine"`
	Pairs   int           `json:"pairs"`
	Seconds float64       `json:"seconds"`
	Targets []relayResult `json:"targets"`
}

type machine struct {
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	// Separate is whether servers and virtual users have processors of their own.
	Separate bool `json:"separate"`
	Realtime bool `json:"realtime"`
	Spin     bool `json:"users_spin"`
}

// relayResult is what one target gave.
type relayResult struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	Skipped string   `json:"skipped,omitempty"` // why it was not measured
	Samples []sample `json:"samples,omitempty"`
	// Ratios of CPU per packet to that of other targets in the same repetition.
	Ratios map[string]spread `json:"ratios,omitempty"`
	Idle   *idleSample       `json:"idle,omitempty"`
}

func thisMachine(place placing) machine {
	return machine{Processors: runtime.NumCPU(), Kernel: kernel(), Go: runtime.Version(), Separate: place.separate, Realtime: place.realtime, Spin: place.spin}
}

// spread sums up one figure of the samples.
func (r *relayResult) spread(figure func(*sample) float64) spread {
	values := make([]float64, len(r.Samples))
	for i := range r.Samples {
		values[i] = figure(&r.Samples[i])
	}

	return spreadOf(values)
}

// cost is CPU per packet by repetition.
func (r *relayResult) cost() map[int]float64 {
	m := map[int]float64{}
	for _, s := range r.Samples {
		m[s.Repeat] = s.Micros
	}

	return m
}

// compare fills in the ratios of every target to the baselines.
func (r *relayReport) compare() {
	for i := range r.Targets {
		t := &r.Targets[i]
		t.Ratios = map[string]spread{}
		for _, name := range baselines {
			if base := r.target(name); base != nil {
				if list := ratios(t.cost(), base.cost()); len(list) > 0 {
					t.Ratios[name] = spreadOf(list)
				}
			}
		}
	}
}

// target returns the result of that name, nil if it was not asked for.
func (r *relayReport) target(name string) *relayResult {
	for i := range r.Targets {
		if r.Targets[i].Name == name {
			return &r.Targets[i]
		}
	}

	return nil
}

// writeJSON writes v to a file.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("--json: %w", err)
	}

	return nil
}
