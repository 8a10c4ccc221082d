// Command smalltalk is a self-hosted random video chat in one binary: the web
// client, signaling, matching, a media relay and the database that keeps them.
//
// It reads its settings, opens its sockets and its database, wires the parts
// together, runs them and stops them in order. Everything else lives in the
// packages it imports; nothing imports it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// Exit codes of the program, told apart so that a service manager can tell a
// wrong setting (do not restart) from a failure (do).
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second signal while stopping takes its default effect: the program
	// dies at once, which is what somebody who presses Ctrl-C twice wants.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program with its surroundings as arguments, and returns the
// exit code. Cancelling ctx stops the server in order.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd, err := parse(args, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "smalltalk: %v\n", err)
		return exitUsage
	case cmd.done:
		return exitOK
	case cmd.version:
		fmt.Fprintln(stdout, version())
		return exitOK
	case cmd.doctor != nil:
		return runDoctor(ctx, *cmd.doctor, cmd.serve, stdout, stderr)
	case cmd.admin != nil:
		return runAdmin(ctx, cmd.admin.JSON, cmd.request, cmd.serve.Data, stdout, stderr)
	}
	if err := serve(ctx, cmd.serve, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "smalltalk: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// version describes the build: the module's version or the commit it was built
// from, and the Go toolchain.
func version() string {
	v := "development"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 && v == "development" {
				v = "development-" + s.Value[:12]
			}
		}
	}
	return fmt.Sprintf("smalltalk %s (%s, %s/%s)", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
