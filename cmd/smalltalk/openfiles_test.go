package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOpenFiles starts the real program under limits of open files: it takes all
// that it may, and says so where that is little.
func TestOpenFiles(t *testing.T) {
	for _, tc := range []struct {
		soft, hard int
		args       []string
		warns      bool
	}{
		{100, 1000, nil, true},
		{1000, 4096, nil, false},
		{1000, 4096, []string{"--max-clients", "3000"}, true},
	} {
		t.Run(fmt.Sprint(tc.hard, tc.args), func(t *testing.T) {
			limits := fmt.Sprintf(`ulimit -Sn %d && ulimit -Hn %d && exec "$0" "$@"`, tc.soft, tc.hard)
			cmd := program(append([]string{"--listen", "localhost:0", "--data", t.TempDir()}, tc.args...)...)
			cmd.Path = "/bin/sh"
			cmd.Args = append([]string{"sh", "-c", limits, os.Args[0]}, cmd.Args[1:]...)
			p := await(t, cmd)
			raised := regexp.MustCompile(fmt.Sprintf(`Max open files +(%d|%d) +%d`, tc.hard, tc.hard-1, tc.hard))
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid)) // Linux only
			if err == nil && !raised.Match(text) {
				t.Errorf("the soft limit was not raised:\n%s", text)
			}
			p.stop(syscall.SIGTERM, 5*time.Second)
			if got := strings.Contains(p.logged(), "LimitNOFILE"); got != tc.warns {
				t.Errorf("warned %v, want %v; log:\n%s", got, tc.warns, p.logged())
			}
		})
	}
}
