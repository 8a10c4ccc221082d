package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// invoke runs the program in a process of its own, which may pin itself to a
// processor and count its goroutines.
func invoke(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stdout, cmd.Stderr = &o, &e
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}

	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// invokeJSON runs the program with --json and reads what it has written.
func invokeJSON(t *testing.T, into any, args ...string) (code int, out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	code, out, errs = invoke(t, append(args, "--json", file)...)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; it printed\n%s%s", err, out, errs)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}

	return code, out, errs
}

// TestRelay runs a small load against every target.
func TestRelay(t *testing.T) {
	t.Parallel()
	var r relayReport
	code, out, errs := invokeJSON(t, &r, "relay", "--pairs", "2", "--seconds", "0.5", "--warmup", "0.1", "--repeat", "1")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	if len(r.Targets) != len(targets()) {
		t.Fatalf("%d targets, want %d", len(r.Targets), len(targets()))
	}
	for _, target := range r.Targets {
		if target.Skipped != "" {
			t.Logf("%s: %s", target.Name, target.Skipped)

			continue
		}
		s := target.Samples[0]
		// 2 pairs send 640 packets a second; a busy machine may leave some out.
		if s.Packets < 20 || s.Packets > s.Sent || s.Sent > 400 || s.Duplicates > 0 {
			t.Errorf("%s: %d packets of %d, %d twice", target.Name, s.Packets, s.Sent, s.Duplicates)
		}
		if s.Faults.total() > 0 || s.Decrypted == 0 {
			t.Errorf("%s: faults %+v in %d looked at", target.Name, s.Faults, s.Decrypted)
		}
		if s.Micros <= 0 || s.P50 <= 0 || s.P99 < s.P50 || s.P999 < s.P99 || s.RSS < 1<<20 {
			t.Errorf("%s: %+v", target.Name, s)
		}
		if (s.Allocs < 0) != (target.Name == "coturn") {
			t.Errorf("%s: %v allocations per packet", target.Name, s.Allocs)
		}
		if !strings.Contains(out, target.Name) {
			t.Errorf("%s is not in the table:\n%s", target.Name, out)
		}
	}
	if ratio := r.target("naive").Ratios["naive"]; ratio != (spread{1, 1, 1}) {
		t.Errorf("naive is %+v of itself", ratio)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	var r relayReport
	code, _, errs := invokeJSON(t, &r, "relay", "--idle", "4", "--targets", "pion,udp-echo")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	if s := r.target("pion").Idle; s == nil || s.Clients != 4 || s.PerClient <= 0 || s.Goroutines == 0 {
		t.Errorf("idle: %+v", s)
	}
	if r.target("udp-echo").Idle != nil {
		t.Error("an echo has idle clients")
	}
}

// smalltalk builds and starts the real server and returns its address.
func smalltalk(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "smalltalk")
	if b, err := exec.Command("go", "build", "-o", binary, "smalltalk/cmd/smalltalk").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	cmd := exec.Command(binary, "--listen", "localhost:0", "--data", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	url := regexp.MustCompile(`http://\S+`).FindString(first)
	if err != nil || url == "" {
		t.Fatalf("the server printed %q: %v", first, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()

	return url
}

// TestPairs has couples live on the real server.
func TestPairs(t *testing.T) {
	t.Parallel()
	var r pairsReport
	code, out, errs := invokeJSON(t, &r, "pairs", "--url", smalltalk(t), "--couples", "2", "--seconds", "4", "--talk", "1.2", "--topics", "gaming")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if r.Matches < 2 || r.Checked == 0 || r.NoAudio+r.NoVideo > 0 || r.Media.N == 0 || r.Packets < 200 {
		t.Errorf("%+v", r)
	}
	if len(r.Errors) > 0 || r.Faults.total() > 0 || r.GoroutinesLeft > 0 {
		t.Errorf("errors %v, faults %+v, goroutines %d", r.ErrorTexts, r.Faults, r.GoroutinesLeft)
	}
	if r.ChatHeard == 0 || r.ChatHeard > r.ChatSaid {
		t.Errorf("%d of %d chat lines arrived", r.ChatHeard, r.ChatSaid)
	}
	if !strings.Contains(errs, "online") || !strings.Contains(out, "match to first picture") {
		t.Errorf("it printed\n%s%s", errs, out)
	}
}

// TestPairsNobodyThere: no server is a failure with a reason, not a hang.
func TestPairsNobodyThere(t *testing.T) {
	t.Parallel()
	var r pairsReport
	code, out, errs := invokeJSON(t, &r, "pairs", "--url", "http://127.0.0.1:1", "--couples", "1", "--seconds", "1")
	if code != exitFailure || !strings.Contains(out, "connection refused") || !strings.Contains(errs, "nobody was matched") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if r.Errors["failed"] == 0 || r.GoroutinesLeft > 0 {
		t.Errorf("%+v", r)
	}
}

// TestMatch has clients churn on a server of its own, and on the real one.
func TestMatch(t *testing.T) {
	t.Parallel()
	churns := func(args ...string) (r matchReport) {
		args = append([]string{"match", "--clients", "60", "--seconds", "3", "--warmup", "0.5", "--talk", "1"}, args...)
		code, out, errs := invokeJSON(t, &r, args...)
		if code != exitOK {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		if r.Matches < 20 || r.Seen.N < 20 || r.Seen.P50 <= 0 || r.Seen.P999 < r.Seen.P99 || r.PerSecond <= 0 || len(r.Errors) > 0 {
			t.Errorf("%+v", r)
		}
		if !strings.Contains(out, "until the client has read it") || !strings.Contains(errs, "60 clients are connected") {
			t.Errorf("it printed\n%s%s", out, errs)
		}

		return r
	}
	own := churns()
	if s := own.Server; s == nil {
		t.Error("its own server tells nothing")
	} else if s.Sent.N == 0 || s.Sent.P50 <= 0 || s.Sent.P99 < s.Sent.P50 || s.Sessions != 60 || s.Refused > 0 || s.Dropped > 0 {
		t.Errorf("server %+v, clients %+v", s, own.Seen)
	}
	if own.RSS < own.RSSBefore || own.RSSBefore == 0 || own.CPU <= 0 {
		t.Errorf("memory from %d to %d, CPU %v", own.RSSBefore, own.RSS, own.CPU)
	}
	if other := churns("--url", smalltalk(t)); other.Server != nil || other.RSS != 0 {
		t.Errorf("from inside a server that is not its own: %+v", other)
	}
}

// TestMatchNobodyThere: no server is a failure with a reason, not a hang.
func TestMatchNobodyThere(t *testing.T) {
	t.Parallel()
	code, out, errs := invoke(t, "match", "--url", "http://127.0.0.1:1", "--clients", "10")
	if code != exitFailure || !strings.Contains(errs, "connection refused") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// TestUsage: every mistake gets one line that says what to do.
func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"", exitOK, "relay"},
		{"help", exitOK, "pairs"},
		{"relay --help", exitOK, "--pairs pairs"},
		{"relay --help", exitOK, "srtp-echo"},
		{"pairs -h", exitOK, "http://localhost:8080"},
		{"dance", exitUsage, `no command "dance"`},
		{"relay --targets fats", exitFailure, "naive"},
		{"relay --pairs 0", exitFailure, "--pairs 0: give 1"},
		{"relay --seconds 0", exitFailure, "--seconds"},
		{"relay --warmup -1", exitFailure, "--warmup"},
		{"relay --repeat 0", exitFailure, "--repeat"},
		{"relay --idle -1", exitFailure, "--idle"},
		{"relay naive", exitFailure, `what is "naive"`},
		{"relay --speed 3", exitFailure, "speed"},
		{"pairs --url localhost", exitFailure, "http://localhost:8080"},
		{"pairs --couples 0", exitFailure, "--couples"},
		{"pairs --seconds 0", exitFailure, "--seconds"},
		{"pairs --talk 0", exitFailure, "--talk"},
		{"pairs now", exitFailure, `what is "now"`},
		{"match --help", exitOK, "--clients clients"},
		{"match --url localhost", exitFailure, "http://localhost:8080"},
		{"match --clients 1", exitFailure, "--clients 1: give 2"},
		{"match --seconds 0", exitFailure, "--seconds"},
		{"match --warmup -1", exitFailure, "--warmup"},
		{"match --talk 0", exitFailure, "--talk"},
		{"match now", exitFailure, `what is "now"`},
		{"host nothing", exitFailure, "udp-echo"},
	} {
		var o, e bytes.Buffer
		code := run(t.Context(), strings.Fields(tc.args), strings.NewReader(""), &o, &e)
		out, errs := o.String(), e.String()
		if code != tc.code || !strings.Contains(out+errs, tc.want) {
			t.Errorf("loadtest %s: exit code %d, want %d with %q:\n%s%s", tc.args, code, tc.code, tc.want, out, errs)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	const good = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\na=setup:active\r\n" +
		"a=candidate:1 1 udp 100 127.0.0.1 1000 typ host\r\na=candidate:2 1 udp 200 ::1 2000 typ host\r\n" +
		"a=candidate:2 1 udp 200 ::1 2000 typ host\r\na=candidate:3 1 tcp 900 127.0.0.1 3000 typ host tcptype passive\r\n"
	a, err := readAnswer(good)
	if err != nil || !a.active || len(a.candidates) != 2 || a.candidates[0].Port() != 2000 {
		t.Errorf("%+v, %v", a, err)
	}
	for _, without := range []string{"a=ice-ufrag:abcd", "a=ice-pwd:", "a=fingerprint:", "udp"} {
		if a, err := readAnswer(strings.ReplaceAll(good, without, "a=other:tcp")); err == nil {
			t.Errorf("without %q: %+v", without, a)
		}
	}
}
