package signaling_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"smalltalk/signaling"
)

// fileLimitEnv says that this is the process that TestReadyOnFullDisk started for itself.
const fileLimitEnv = "SMALLTALK_SIGNALING_TEST_FILE_LIMIT"

// fullDisk makes every write of this process to a file fail until the returned function is called: none may be longer than nothing.
func fullDisk(t *testing.T) (repair func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	set := func(l syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			t.Fatal(err)
		}
	}
	set(syscall.Rlimit{Cur: 0, Max: old.Max})
	return func() { set(old) }
}

// TestReadyOnFullDisk: matching goes on, who has been here comes in, and an operator's check sees what is wrong.
func TestReadyOnFullDisk(t *testing.T) {
	if os.Getenv(fileLimitEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), fileLimitEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var log bytes.Buffer
	e := start(t, options{config: func(c *signaling.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }})
	want := func(path string, status int, key, value string) {
		t.Helper()
		if got, m, _ := e.do(http.MethodGet, "/api/v1/"+path, ""); got != status || m.str(key) != value {
			t.Errorf("%s: %d %v, want %d with %s %q", path, got, m, status, key, value)
		}
	}
	a, b := e.join("a"), e.join("b")
	want("readyz", http.StatusOK, "status", "ready")
	want("readyz?strict=1", http.StatusOK, "status", "ready")

	repair := fullDisk(t)
	for range 5 {
		if status, m, _ := e.do(http.MethodPost, "/api/v1/guests", "{}", "Content-Type", "application/json"); status != http.StatusInternalServerError || m.str("code") != "internal" {
			t.Errorf("a guest: %d %v", status, m)
		}
	}
	e.pair(a, b)
	want("readyz", http.StatusOK, "status", "degraded")
	want("readyz", http.StatusOK, "code", "storage_failing")
	want("readyz?strict=1", http.StatusServiceUnavailable, "code", "storage_failing")
	want("readyz?strict=0", http.StatusOK, "status", "degraded")
	want("healthz", http.StatusOK, "status", "ok")
	a.drop()
	if w := a.again().hello(message{"resume": a.resume}); w["resumed"] != true {
		t.Errorf("who has been here: %v", w)
	}
	repair()
	deadline := time.Now().Add(30 * time.Second)
	for status := 0; status != http.StatusOK && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		status, _, _ = e.do(http.MethodGet, "/api/v1/readyz?strict=1", "")
	}
	want("readyz?strict=1", http.StatusOK, "status", "ready")
	e.stop()
	if n := strings.Count(log.String(), "make a guest"); n != 1 {
		t.Errorf("%d lines about guests in the log", n)
	}
}
