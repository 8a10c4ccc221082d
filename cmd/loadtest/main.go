package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes: a figure may be asked for by a program.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

const help = `usage: loadtest <command> [flags]

  relay   what the media plane costs beside other relays, in one run on this machine
  pairs   couples who meet, talk and part on any server
  match   thousands of clients without media: how soon after a match they hear of it

loadtest <command> --help lists a command's flags.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program with its surroundings as arguments, and returns the
// exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	var err error
	switch name {
	case "relay":
		err = relay(ctx, args, out, errs)
	case "pairs":
		err = pairs(ctx, args, out, errs)
	case "match":
		err = match(ctx, args, out, errs)
	case hostMode:
		err = runHost(ctx, args, in, out)
	case "help", "-h", "-help", "--help":
		fmt.Fprintf(out, "%s", help)
		return exitOK
	default:
		fmt.Fprintf(errs, "loadtest: there is no command %q\n\n%s", name, help)
		return exitUsage
	}
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	default:
		fmt.Fprintf(errs, "loadtest: %v\n", err)
		return exitFailure
	}
}

// usage prints a command's help with two dashes before its flags.
func usage(out io.Writer, text string, flags *flag.FlagSet) {
	fmt.Fprintf(out, "%s\nflags:\n", text)
	flags.VisitAll(func(f *flag.Flag) {
		name, what := flag.UnquoteUsage(f)
		fmt.Fprintf(out, "  --%-20s %s", f.Name+" "+name, what)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			fmt.Fprintf(out, " (%s)", f.DefValue)
		}
		fmt.Fprintln(out)
	})
}
