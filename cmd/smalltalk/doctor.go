package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"
)

const (
	// doctorTime bounds the whole examination, checkTime each check of it but
	// that of the database, which has contentsTime.
	doctorTime   = 60*time.Second + contentsTime
	checkTime    = 8 * time.Second
	contentsTime = 20 * time.Second
	// connectTime is for one TCP or TLS handshake.
	connectTime = 4 * time.Second
)

// doctorFlags is the command line of the doctor.
type doctorFlags struct {
	URL  string `arg:"" optional:"" placeholder:"URL" help:"Server to examine from here, such as https://chat.example.org. Without it: the server on this machine; give the settings that it has."`
	CA   string `name:"ca" env:"-" placeholder:"FILE" help:"CA to trust as the server's, beside the system's (PEM)."`
	JSON bool   `name:"json" env:"-" help:"Print the findings as JSON."`
}

// doctorHelp is what --help of the command says.
const doctorHelp = `Each line is one check: pass, warn or fail, what was looked at and what was found; below a warning or failure stands what to change. ` +
	`The ways in (UDP, TCP and TURN over TLS, by IPv4 and IPv6) are tried with a real connection, as a guest who signs out afterwards. ` +
	`Run it on the server with the server's own settings, and from another network against its address: only that shows what a firewall lets through. ` +
	`The exit code is 0 if nothing failed, else 1.`

// Help implements kong.HelpProvider.
func (doctorFlags) Help() string { return doctorHelp }

// doctor examines one server. It is used once, by one goroutine.
type doctor struct {
	settings settings // of the server on this machine; not looked at from outside
	local    bool     // the server is on this machine
	target   target
	roots    *x509.CertPool // whom to trust; nil for the system's
	limit    time.Duration  // for each check
	tell     func(finding)

	named []netip.Addr // where the server's names lead, as far as that was looked up
}

// newDoctor prepares an examination. Its error is one of usage.
func newDoctor(ctx context.Context, flags doctorFlags, s settings) (*doctor, error) {
	roots, err := trustedRoots(flags.CA)
	if err != nil {
		return nil, err
	}
	d := &doctor{settings: s, local: flags.URL == "", roots: roots, limit: checkTime}
	if d.local {
		d.target, err = localTarget(ctx, s)
	} else {
		d.target, err = urlTarget(flags.URL)
	}
	return d, err
}

// runDoctor examines a server and prints what it found. It returns the exit code.
func runDoctor(ctx context.Context, flags doctorFlags, s settings, stdout, stderr io.Writer) int {
	d, err := newDoctor(ctx, flags, s)
	if err != nil {
		fmt.Fprintf(stderr, "smalltalk: %v\n", err)
		return exitUsage
	}
	var list []finding
	d.tell = func(f finding) {
		list = append(list, f)
		if !flags.JSON {
			fmt.Fprint(stdout, f.text())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	d.examine(ctx)
	r := newReport(d.target.String(), list)
	if flags.JSON {
		if err := r.writeJSON(stdout); err != nil {
			fmt.Fprintf(stderr, "smalltalk: print the findings: %v\n", err)
			return exitFailure
		}
	} else {
		fmt.Fprintln(stdout, r.summary())
	}
	if !r.OK {
		return exitFailure
	}
	return exitOK
}

// trustedRoots are the system's and those in a file.
func trustedRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca %s holds no certificate (PEM)", file)
	}
	return pool, nil
}

// examine runs the checks in the order in which one needs the other.
func (d *doctor) examine(ctx context.Context) {
	d.checkNames(ctx)
	reached := d.checkReach(ctx)
	client := d.target.client()
	defer client.CloseIdleConnections()
	if d.local {
		who := nobody
		if reached {
			who = d.whoAnswers(ctx, client)
		}
		d.checkMachine(ctx, who)
		reached = who == ourServer
	}
	if !reached {
		return
	}
	if d.target.encrypted() {
		d.checkCertificate(ctx)
		d.checkRedirect(ctx)
	} else {
		d.checkPlain()
	}
	if d.checkAPI(ctx, client) {
		d.checkCalls(ctx, client)
	}
}

// checkCalls connects as a guest and tries the ways in.
func (d *doctor) checkCalls(ctx context.Context, client *http.Client) {
	g, err := d.enter(ctx, client)
	if err != nil {
		d.tell(enterFailed(err))
		return
	}
	d.tell(finding{Verdict: isFine, What: "WebSocket", Detail: "a guest is let in"})
	d.checkWays(ctx, g)
	if err := g.leave(ctx); err != nil {
		d.tell(finding{Verdict: isWarning, What: "sign out", Detail: err.Error(), Change: "nothing: the server forgets the doctor's guest by itself"})
	}
}

// within runs one check under its own deadline.
func within[T any](ctx context.Context, limit time.Duration, check func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := check(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer in %v: %w", limit, err)
	}
	return out, err
}
