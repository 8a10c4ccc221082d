package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smalltalk/store"
)

// asProgram makes the test binary run as smalltalk itself.
const asProgram = "SMALLTALK_TEST_RUN_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		_ = os.Unsetenv(asProgram) // else it would be taken for a setting
		main()
	}
	os.Exit(m.Run())
}

// process is a running smalltalk.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	said string        // the line that says where to go
	base string        // http://127.0.0.1:port, or https
	done chan struct{} // closed when it has ended

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

var ready = regexp.MustCompile(`open (https?)://[a-z.]+:(\d+)`)

// start runs the server on free ports.
func start(t *testing.T, data string, args ...string) *process {
	t.Helper()
	return await(t, program(append([]string{"--listen", "localhost:0", "--data", data}, args...)...))
}

// await starts the program and waits until it says where it is.
func await(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{})}
	p.cmd.Stderr = p
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	m := ready.FindStringSubmatch(line)
	if err != nil || m == nil {
		t.Fatalf("printed %q (%v); log:\n%s", line, err, p.logged())
	}
	p.said = line
	p.base = m[1] + "://" + net.JoinHostPort("127.0.0.1", m[2])
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		_ = p.cmd.Wait() // the exit code is in ProcessState
		close(p.done)
	}()
	return p
}

// Write takes the process's standard error.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// stop sends a signal and returns the exit code; it fails the test when the
// process takes longer than it may.
func (p *process) stop(sig syscall.Signal, within time.Duration) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("still running %v after %v; log:\n%s", within, sig, p.logged())
		return -1
	}
}

func TestStopsInOrder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := start(t, t.TempDir())
			a, b := guest(t, http.DefaultClient, p.base), guest(t, http.DefaultClient, p.base)
			a.queue("gaming")
			b.queue("gaming")
			a.expect("match")
			b.expect("match")
			if code := p.stop(sig, 5*time.Second); code != exitOK {
				t.Errorf("exit code %d, log:\n%s", code, p.logged())
			}
			a.expect("drain")
		})
	}
}

func TestStopsWithDeafClient(t *testing.T) {
	p := start(t, t.TempDir())
	// A TCP connection that asks for a WebSocket and then neither reads nor
	// closes must not hold up the stop.
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Errorf("exit code %d, log:\n%s", code, p.logged())
	}
}

// TestClearErrors starts the server where it cannot run: one line that says
// what to do, and an exit code that is not 0.
func TestClearErrors(t *testing.T) {
	running := start(t, t.TempDir())
	taken := strings.TrimPrefix(running.base, "http://")
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	write := func(name string, content []byte) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	folder := filepath.Join(t.TempDir(), "smalltalk.db")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, otherKey := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "other.pem")
	writePair(t, testCertificate(t, "other.example.org"), cert, otherKey)
	writePair(t, testCertificate(t, "chat.example.org"), cert, key)
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"TCP port in use", []string{"--listen", taken}, []string{"in use", "--listen"}},
		{"UDP port in use", []string{"--media-listen", udp.LocalAddr().String()}, []string{"in use", "--media-listen"}},
		{"address of another machine", []string{"--listen", "203.0.113.9:8080", "--insecure-http"}, []string{"203.0.113.9", "--listen"}},
		{"data folder is a file", []string{"--data", filepath.Join(write("f", nil), "f")}, []string{"there is a file", "--data"}},
		{"database is a folder", []string{"--data", filepath.Dir(folder)}, []string{"smalltalk.db", "is a directory", "--data"}},
		{"key of another certificate", []string{"--cert", cert, "--key", otherKey}, []string{"does not match", "--key"}},
		{"key is a folder", []string{"--cert", cert, "--key", filepath.Dir(cert)}, []string{"--key", "can read"}},
		{"no such certificate", []string{"--cert", cert + "x", "--key", key}, []string{"no such file", "--cert"}},
		{"data folder cannot be made", []string{"--data", "/proc/smalltalk"}, []string{"data folder", "--data"}},
		{"damaged database", []string{"--data", write("smalltalk.db", bytes.Repeat([]byte("garbage "), 4096))}, []string{"damaged", "smalltalk.db", "backup"}},
		{"cut database", []string{"--data", write("smalltalk.db", []byte("x"))}, []string{"damaged", "smalltalk.db", "backup"}},
		{"folder of a running server", []string{"--data", dataOf(running)}, []string{"in use", "--data"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"--listen", "localhost:0", "--data", t.TempDir()}, tc.args...)
			var errs bytes.Buffer
			cmd := program(args...)
			cmd.Stderr = &errs
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != exitFailure {
				t.Errorf("exit code %d, want %d", cmd.ProcessState.ExitCode(), exitFailure)
			}
			if lines := strings.Count(errs.String(), "\n"); lines != 1 {
				t.Errorf("printed %d lines, want one:\n%s", lines, errs.String())
			}
			for _, want := range tc.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("printed %q, which does not mention %q", errs.String(), want)
				}
			}
		})
	}
}

func dataOf(p *process) string {
	for i, a := range p.cmd.Args {
		if a == "--data" {
			return p.cmd.Args[i+1]
		}
	}
	return ""
}

// TestKill kills the server in the middle of calls and waits, starts it again,
// and looks for what should not be there.
func TestKill(t *testing.T) {
	data := t.TempDir()
	for round := range 3 {
		p := start(t, data, "--grace", "1s")
		var calls []*client
		for range 6 {
			c := guest(t, http.DefaultClient, p.base)
			c.queue("gaming")
			calls = append(calls, c)
		}
		for _, c := range calls {
			c.call = c.expect("match").Call
		}
		guest(t, http.DefaultClient, p.base).queue("news") // one is left waiting
		if round > 0 {                                     // at first it is killed while rooms are being written
			waitStored(t, data, calls[0].call)
		}
		p.stop(syscall.SIGKILL, 5*time.Second)
		rooms := checkStore(t, data)
		if len(rooms) > 3 {
			t.Errorf("%d rooms are left: %+v", len(rooms), rooms)
		}

		// One comes back and nobody else: after the grace the rooms are gone, all
		// at once.
		p = start(t, data, "--grace", "1s")
		for _, c := range calls {
			if len(rooms) > 0 && c.call == string(rooms[0].ID) {
				back := dial(t, http.DefaultClient, p.base, map[string]any{"token": c.token, "resume": c.resume})
				if strings.Contains(string(back.history[0].RTC), c.call) { // else the grace was over
					back.expect("call.end")
				}
				break
			}
		}
		late := guest(t, http.DefaultClient, p.base)
		late.queue("gaming")
		late.expect("queue.state")
		if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
			t.Errorf("round %d: exit code %d, log:\n%s", round, code, p.logged())
		}
		if rooms := checkStore(t, data); len(rooms) > 0 {
			t.Errorf("round %d: %d rooms are left: %+v", round, len(rooms), rooms)
		}
	}
}

// TestRestartAndResume ends the server in mid-call, in order and by force; both
// come back and are with the same partner.
func TestRestartAndResume(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			data := t.TempDir()
			p := start(t, data)
			a, b := guest(t, http.DefaultClient, p.base), guest(t, http.DefaultClient, p.base)
			a.queue("gaming")
			b.queue("gaming")
			call := a.expect("match").Call
			b.expect("match")
			if sig == syscall.SIGKILL {
				waitStored(t, data, call)
			}
			p.stop(sig, 5*time.Second)

			p = start(t, data)
			for _, old := range []*client{a, b} {
				c := dial(t, http.DefaultClient, p.base, map[string]any{"token": old.token, "resume": old.resume})
				welcome := c.history[0]
				if !welcome.Resumed || !strings.Contains(string(welcome.RTC), call) {
					t.Errorf("welcome says resumed %v, state %s; want call %s", welcome.Resumed, welcome.RTC, call)
				}
			}
			p.stop(syscall.SIGTERM, 5*time.Second)
		})
	}
}

// waitStored waits until a room is in the database of a running server:
// matching does not wait for the disk, so a kill within the next milliseconds may
// forget it. The file is locked, so a copy is looked at; a torn one does not open.
func waitStored(t *testing.T, data, room string) {
	t.Helper()
	folder := t.TempDir()
	eventually(t, "the room is not stored", func() bool {
		file, err := os.ReadFile(filepath.Join(data, "smalltalk.db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "smalltalk.db"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(filepath.Join(folder, "smalltalk.db"))
		if err != nil {
			return false
		}
		defer db.Close()
		rooms, err := db.Rooms()
		return err == nil && slices.ContainsFunc(rooms, func(r store.Room) bool { return string(r.ID) == room })
	})
}

// checkStore opens the database that a process left, looks at it and returns its
// rooms.
func checkStore(t *testing.T, data string) []store.Room {
	t.Helper()
	db, err := store.Open(filepath.Join(data, "smalltalk.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Check(); err != nil {
		t.Errorf("the database is damaged: %v", err)
	}
	rooms, err := db.Rooms()
	if err != nil {
		t.Error(err)
	}
	return rooms
}
