package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// verdict is what a check came to.
type verdict string

const (
	isFine    verdict = "pass"
	isWarning verdict = "warn" // it works, or only for some
	isFailure verdict = "fail"
)

// finding is the outcome of one check.
type finding struct {
	Verdict verdict `json:"status"`
	What    string  `json:"what"`
	Detail  string  `json:"detail"`
	// Change says what to do about it; set unless it passed.
	Change string `json:"change,omitempty"`
	// Way is set where a connection for media was made.
	Way *wayFound `json:"way,omitempty"`
}

// wayFound describes a connection for media.
type wayFound struct {
	Milliseconds int64  `json:"ms"`   // from the offer to the end of the DTLS handshake
	Path         string `json:"path"` // udp, tcp or relay
	Local        string `json:"local"`
	Relay        string `json:"relay,omitempty"` // the TURN server, over TLS
	Remote       string `json:"remote"`
	SRTP         string `json:"srtp"` // the negotiated protection profile (RFC 5764, RFC 7714)
}

// text is the connection for people.
func (w wayFound) text() string {
	from := w.Local
	if w.Relay != "" {
		from += " through TLS to " + w.Relay
	}
	return fmt.Sprintf("connected in %d ms: %s to %s, %s", w.Milliseconds, from, w.Remote, w.SRTP)
}

// report is what the doctor found.
type report struct {
	Target string    `json:"target"`
	OK     bool      `json:"ok"` // nothing failed
	Passed int       `json:"passed"`
	Warned int       `json:"warned"`
	Failed int       `json:"failed"`
	Checks []finding `json:"checks"`
}

// newReport sums findings up.
func newReport(target string, list []finding) report {
	r := report{Target: target, Checks: list}
	for _, f := range list {
		switch f.Verdict {
		case isFine:
			r.Passed++
		case isWarning:
			r.Warned++
		case isFailure:
			r.Failed++
		}
	}
	r.OK = r.Failed == 0
	return r
}

// writeJSON writes the report for programs.
func (r report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// summary is the last line for people.
func (r report) summary() string {
	return fmt.Sprintf("%d passed, %d warned, %d failed", r.Passed, r.Warned, r.Failed)
}

// text is one finding for people: a line, and below it what to change.
func (f finding) text() string {
	line := fmt.Sprintf("%s  %-16s  %s\n", f.Verdict, f.What, strings.ReplaceAll(f.Detail, "\n", "; "))
	if f.Change != "" {
		line += "      -> " + f.Change + "\n"
	}
	return line
}
