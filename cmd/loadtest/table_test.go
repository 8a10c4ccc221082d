package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	got := table([][]string{{"name", "µs", "n"}, {"a longer one", "1.5", "100"}, {"b", "22.5 [20.1-30.0]", ""}})
	want := "name                        µs    n\n" +
		"a longer one               1.5  100\n" +
		"b             22.5 [20.1-30.0]\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// report is one of two repetitions, of which one target lacks the second.
func exampleReport() *relayReport {
	r := &relayReport{Pairs: 50, Seconds: 4, Machine: machine{Processors: 2, Separate: true}, Targets: []relayResult{
		{Name: "pion", Samples: []sample{{Repeat: 0, Micros: 20, Allocs: 0.5, P99: 900}, {Repeat: 1, Micros: 30, Allocs: 0.5, P99: 1100}}},
		{Name: "naive", Samples: []sample{{Repeat: 0, Micros: 40, Allocs: 18}, {Repeat: 1, Micros: 40, Allocs: 18}}},
		{Name: "udp-echo", Samples: []sample{{Repeat: 0, Micros: 10, User: 1, System: 9}}},
		{Name: "coturn", Skipped: "it is not installed"},
	}}
	r.compare()

	return r
}

func TestReport(t *testing.T) {
	r := exampleReport()
	if got, want := r.target("pion").Ratios["naive"], (spread{0.625, 0.5, 0.75}); got != want {
		t.Errorf("pion / naive is %+v, want %+v", got, want)
	}
	if got, want := r.target("pion").Ratios["udp-echo"], (spread{2, 2, 2}); got != want {
		t.Errorf("pion / udp-echo is %+v, want %+v", got, want)
	}
	if _, ok := r.target("pion").Ratios["coturn"]; ok {
		t.Error("there is a ratio to what was left out")
	}
	var out strings.Builder
	r.print(&out)
	for _, want := range []string{
		"50 pairs", "25.0 [20.0-30.0]", "1000 [900-1100]", "0.62 [0.50-0.75]", "1.0+9.0", "18.00",
		"coturn was left out: it is not installed.",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, out.String())
		}
	}
	for _, not := range []string{"WRONG", "could not keep up", "one processor"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("the report says %q without reason:\n%s", not, out.String())
		}
	}
}

// TestDoubts plants what makes figures worthless.
func TestDoubts(t *testing.T) {
	r := exampleReport()
	r.Machine.Separate = false
	r.Targets[0].Samples[1].Faults = faults{Header: 1, Decrypt: 2, Stray: 3}
	r.Targets[1].Samples[0].Skipped = 7
	text := strings.Join(r.doubts(), "\n")
	for _, want := range []string{"one processor", "1 by header, 2 by decryption, 3 from strangers", "left out 7 turns"} {
		if !strings.Contains(text, want) {
			t.Errorf("the doubts do not say %q:\n%s", want, text)
		}
	}
}

func TestIdleTable(t *testing.T) {
	r := &relayReport{Targets: []relayResult{{Name: "pion", Idle: &idleSample{Clients: 100, Before: 10 << 20, After: 40 << 20, PerClient: 3 << 20 / 10}}}}
	if got := r.idle(); !strings.Contains(got, "0.300") || !strings.Contains(got, "40.0") {
		t.Errorf("the table does not have 0.300 and 40.0:\n%s", got)
	}
}
