package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
)

func TestDoctorJSON(t *testing.T) {
	r := newReport("https://chat.example.org", []finding{
		{Verdict: isFine, What: "way UDP IPv4", Detail: "connected in 57 ms", Way: &wayFound{Milliseconds: 57, Path: "udp", Local: "192.0.2.7:4000", Remote: "203.0.113.5:443", SRTP: "AEAD_AES_128_GCM"}},
		{Verdict: isWarning, What: "clock", Detail: "the server's is 2m0s behind this machine's", Change: "set it"},
		{Verdict: isFailure, What: "TCP IPv6", Detail: "refused", Change: "open TCP port 443 & more"},
	})
	var out bytes.Buffer
	if err := r.writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "doctor.json"))
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestDoctorText(t *testing.T) {
	for _, tc := range []struct {
		f    finding
		want string
	}{
		{finding{Verdict: isFine, What: "TLS", Detail: "TLS 1.3"}, "pass  TLS               TLS 1.3\n"},
		{finding{Verdict: isFine, What: "w", Detail: wayFound{5, "relay", "a", "b", "c", "AEAD_AES_128_GCM"}.text()}, "pass  w                 connected in 5 ms: a through TLS to b to c, AEAD_AES_128_GCM\n"},
		{finding{Verdict: isFailure, What: "way ICE-TCP IPv4", Detail: "a\nb", Change: "open it"}, "fail  way ICE-TCP IPv4  a; b\n      -> open it\n"},
	} {
		if got := tc.f.text(); got != tc.want {
			t.Errorf("printed %q, want %q", got, tc.want)
		}
	}
}

func TestDoctorJudgesCertificate(t *testing.T) {
	now := time.Now()
	day := 24 * time.Hour
	for _, tc := range []struct {
		name     string
		from, to time.Duration
		host     string
		trusted  bool
		want     verdict
		detail   string
	}{
		{"fine", -day, 60 * day, "chat.example.org", true, isFine, "59 days left"},
		{"soon", -day, 13 * day, "chat.example.org", true, isWarning, "it ends in 12 days"},
		{"over", -2 * day, -day, "chat.example.org", true, isFailure, "expired"},
		{"early", day, 2 * day, "chat.example.org", true, isFailure, "valid only from"},
		{"name", -day, 60 * day, "talk.example.org", true, isFailure, "not for talk.example.org"},
		{"trust", -day, 60 * day, "chat.example.org", false, isFailure, "signed"},
	} {
		c := testCertificateFor(t, x509.Certificate{DNSNames: []string{"chat.example.org"}, NotBefore: now.Add(tc.from), NotAfter: now.Add(tc.to)}).Leaf
		roots := x509.NewCertPool()
		if tc.trusted {
			roots.AddCert(c)
		}
		if f := judgeCertificate([]*x509.Certificate{c}, tc.host, roots, false, now); f.Verdict != tc.want || !strings.Contains(f.Detail, tc.detail) {
			t.Errorf("%s: %+v", tc.name, f)
		}
	}
	if f := judgeCertificate(nil, "x", nil, false, now); f.Verdict != isFailure {
		t.Errorf("%+v", f)
	}
	for _, tc := range []struct {
		issuer string
		acme   bool
		want   bool
	}{{"R11", true, true}, {"(STAGING) Wannabe Watercress R11", false, true}, {"R11", false, false}} {
		c := testCertificateFor(t, x509.Certificate{
			DNSNames: []string{"chat.example.org"}, NotBefore: now.Add(-day), NotAfter: now.Add(60 * day), Subject: pkix.Name{CommonName: tc.issuer},
		}).Leaf
		if f := judgeCertificate([]*x509.Certificate{c}, "chat.example.org", x509.NewCertPool(), tc.acme, now); strings.HasPrefix(f.Change, "staging? then --ca") != tc.want {
			t.Errorf("%+v: %+v", tc, f)
		}
	}
}

func candidates(t *testing.T, list ...string) []ice.Candidate {
	t.Helper()
	var all []ice.Candidate
	for _, at := range list {
		a := netip.MustParseAddrPort(at)
		c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: a.Addr().String(), Port: int(a.Port()), Component: 1})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func TestDoctorJudgesCandidates(t *testing.T) {
	for _, tc := range []struct {
		name    string
		offered []string
		outside bool
		named   string
		want    []verdict
		change  string // of the last
	}{
		{"public", []string{"203.0.113.5:443", "[2001:db8::5]:443"}, true, "203.0.113.5", []verdict{isFine}, ""},
		{"private from outside", []string{"10.0.0.5:8443"}, true, "203.0.113.5", []verdict{isWarning}, "--public-address"},
		{"private at home", []string{"10.0.0.5:8443"}, false, "", []verdict{isFine}, ""},
		{"private and low", []string{"10.0.0.5:443"}, false, "", []verdict{isFine, isWarning}, "Chromium"},
		{"link-local only", []string{"169.254.0.5:8443"}, false, "", []verdict{isWarning}, "169.254.0.5"},
		{"private beside public", []string{"10.0.0.5:443", "203.0.113.5:443"}, true, "203.0.113.5", []verdict{isFine}, ""},
		{"name leads elsewhere", []string{"203.0.113.5:443"}, true, "203.0.113.99", []verdict{isWarning}, "203.0.113.99"},
		{"nothing", nil, true, "", []verdict{isFailure}, "--media-listen"},
	} {
		var named []netip.Addr
		if tc.named != "" {
			named = ips(tc.named)
		}
		got := judgeCandidates(candidates(t, tc.offered...), tc.outside, named)
		ok := len(got) == len(tc.want)
		for i := range min(len(got), len(tc.want)) {
			ok = ok && got[i].Verdict == tc.want[i]
		}
		if !ok || !strings.Contains(got[len(got)-1].Change, tc.change) {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestDoctorJudgesMapping(t *testing.T) {
	for _, tc := range []struct {
		name, own, seen, given string
		ownPort                bool
		want                   verdict
		change                 string
	}{
		{"public itself", "203.0.113.5:443", "203.0.113.5:443", "", true, isFine, ""},
		{"behind NAT", "10.0.0.5:443", "203.0.113.5:443", "", true, isFine, ""},
		{"behind NAT with a spare port", "10.0.0.5:5000", "203.0.113.5:6000", "", false, isFine, ""},
		{"another port", "10.0.0.5:443", "203.0.113.5:6000", "", true, isWarning, "forward port 443"},
		{"given right", "10.0.0.5:443", "203.0.113.5:443", "203.0.113.5", true, isFine, ""},
		{"given wrong", "10.0.0.5:443", "203.0.113.5:443", "203.0.113.6", true, isWarning, "give 203.0.113.5"},
		{"given for the other family", "10.0.0.5:443", "203.0.113.5:443", "2001:db8::5", true, isFine, ""},
		{"public, seen as another", "203.0.113.5:443", "203.0.113.9:443", "", true, isWarning, "203.0.113.9"},
	} {
		var public []netip.Addr
		if tc.given != "" {
			public = ips(tc.given)
		}
		m := mapping{socket: netip.MustParseAddrPort(tc.own), public: netip.MustParseAddrPort(tc.seen), server: "stun.example.org:3478"}
		if f := judgeMapping(m, public, tc.ownPort); f.Verdict != tc.want || !strings.Contains(f.Change, tc.change) {
			t.Errorf("%s: %+v", tc.name, f)
		}
	}
}

func TestDoctorJudgesClock(t *testing.T) {
	for ahead, want := range map[time.Duration]verdict{0: isFine, 29 * time.Second: isFine, -29 * time.Second: isFine, time.Minute: isWarning, -time.Minute: isWarning} {
		if f := judgeClock(ahead); f.Verdict != want {
			t.Errorf("%v: %+v", ahead, f)
		}
	}
}

func TestDoctorJudgesBuffers(t *testing.T) {
	if f := judgeBuffers(socketBuffer, socketBuffer); f.Verdict != isFine {
		t.Errorf("%+v", f)
	}
	if f := judgeBuffers(212992, socketBuffer); f.Verdict != isWarning || !strings.Contains(f.Change, "net.core.rmem_max=8388608") {
		t.Errorf("%+v", f)
	}
}

// TestDoctorAdvice: what did not work leads to what to change.
func TestDoctorAdvice(t *testing.T) {
	udp, tcp := wayIn{network: ice.NetworkTypeUDP4}, wayIn{network: ice.NetworkTypeTCP6}
	for _, tc := range []struct {
		w       wayIn
		at      string
		outside bool
		err     error
		want    string
	}{
		{udp, "203.0.113.5:443", true, errors.New("x"), "open UDP port 443 to 203.0.113.5:443"},
		{tcp, "[2001:db8::5]:443", true, errors.New("x"), "open TCP port 443"},
		{udp, "10.0.0.5:443", true, errors.New("x"), "--public-address"},
		{udp, "10.0.0.5:8443", false, errors.New("x"), "open UDP port 8443"},
		{udp, "203.0.113.5:443", true, errDTLS, "MTU"},
		{wayIn{network: ice.NetworkTypeUDP4, relay: true}, "203.0.113.5:443", true, errors.New("x"), "pass TLS on"},
		{udp, "203.0.113.5:443", true, &refusal{"rate_limited", "Slow down."}, "refused"},
	} {
		if f := wayFailed(tc.w, candidates(t, tc.at), tc.outside, tc.err); f.Verdict != isFailure || !strings.Contains(f.Change, tc.want) {
			t.Errorf("%s %v: %+v", tc.w, tc.err, f)
		}
	}
	for _, w := range directWays() {
		for _, offered := range []bool{false, true} {
			if f := notTried(w, offered); f.Verdict != isWarning || f.Change == "" {
				t.Errorf("%+v", f)
			}
		}
	}
}

// TestDoctorNames: what a resolver does not say is not held against the name.
func TestDoctorNames(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: "no such host", IsNotFound: true}, "A record"},
		{fmt.Errorf("x: %w", &net.DNSError{Err: "no such host", IsNotFound: true}), "A record"},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, "/etc/resolv.conf"},
		{&net.DNSError{Err: "i/o timeout", IsTimeout: true}, "/etc/resolv.conf"},
		{context.DeadlineExceeded, "/etc/resolv.conf"},
	} {
		if f := nameFailed("chat.example.org", tc.err); f.Verdict != isFailure || !strings.Contains(f.Change, tc.want) {
			t.Errorf("%v: %+v", tc.err, f)
		}
	}
}

// TestDoctorNoRelay: what to do for TURN over TLS behind a proxy must not break
// the site.
func TestDoctorNoRelay(t *testing.T) {
	if f := noRelay(false); f.Verdict != isWarning || !strings.Contains(f.Change, "--domain") {
		t.Errorf("%+v", f)
	}
	if f := noRelay(true); f.Verdict != isWarning || !strings.Contains(f.Change, "let the proxy speak HTTPS to it") {
		t.Errorf("%+v", f)
	}
}

// TestDoctorInsideNAT: a public address that is not the machine's own may not be
// reachable from the machine.
func TestDoctorInsideNAT(t *testing.T) {
	if allForeign(candidates(t, "203.0.113.5:443", "127.0.0.1:443")) || !allForeign(candidates(t, "203.0.113.250:443")) {
		t.Error("own addresses are not told apart")
	}
	if f := fromInside(wayIn{network: ice.NetworkTypeUDP4}, errors.New("x")); f.Verdict != isWarning || !strings.Contains(f.Change, "elsewhere") {
		t.Errorf("%+v", f)
	}
}

func TestDoctorData(t *testing.T) {
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "smalltalk.db"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := t.TempDir()
	db, err := openStore(whole)
	if err != nil {
		t.Fatal(err)
	}
	if f := checkData(t.Context(), whole, false); f.Verdict != isWarning || !strings.Contains(f.Detail, "in use") {
		t.Errorf("locked: %+v", f)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(damaged, "smalltalk.db")
	for _, tc := range []struct {
		folder string
		want   verdict
	}{{whole, isFine}, {t.TempDir(), isFine}, {damaged, isFailure}, {file, isFailure}, {filepath.Join(whole, "none"), isFine}} {
		if f := checkData(t.Context(), tc.folder, false); f.Verdict != tc.want {
			t.Errorf("%+v", f)
		}
	}
	if left, err := filepath.Glob(filepath.Join(whole, ".doctor-*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

// TestDoctorLeavesOldData: what the next start will upgrade is said and not done.
func TestDoctorLeavesOldData(t *testing.T) {
	old, err := os.ReadFile("../../store/testdata/version1.db")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "smalltalk.db")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := checkData(t.Context(), folder, false); f.Verdict != isFine || !strings.Contains(f.Detail, "upgrades it") || !strings.Contains(f.Detail, path+".v1") {
		t.Errorf("%+v", f)
	}
	now, err := os.ReadFile(path)
	if names, _ := filepath.Glob(filepath.Join(folder, "*")); err != nil || !bytes.Equal(now, old) || len(names) != 1 {
		t.Errorf("it was changed, %v; in the folder: %v", err, names)
	}
}

func TestDoctorSpace(t *testing.T) {
	if f := judgeSpace("/var/lib/x", littleSpace); f.Verdict != isFine || !strings.Contains(f.Detail, "256 MiB on the disk of /var/lib/x") {
		t.Errorf("%+v", f)
	}
	if f := judgeSpace("/var/lib/x", littleSpace-1); f.Verdict != isWarning || !strings.Contains(f.Change, "make space") {
		t.Errorf("%+v", f)
	}
	if free, err := freeSpace(t.TempDir()); errors.Is(err, errors.ErrUnsupported) {
		t.Log(err)
	} else if err != nil || free == 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
}

func TestDoctorTargets(t *testing.T) {
	cert, key := loopbackCertificate(t, x509.Certificate{DNSNames: []string{"*.example.org"}})
	for _, tc := range []struct {
		s    settings
		want string
	}{
		{settings{Listen: "localhost:8080"}, "http://localhost:8080"},
		{settings{Listen: ":443", Domain: []string{"chat.example.org"}}, "https://chat.example.org"},
		{settings{Listen: "127.0.0.1:8443", Cert: cert, Key: key}, "https://www.example.org:8443"},
		{settings{Listen: "[::1]:8080"}, "http://[::1]:8080"},
		{settings{Listen: "[::1]:80"}, "http://[::1]"},
	} {
		got, err := localTarget(t.Context(), tc.s)
		if err != nil || got.String() != tc.want || len(got.addresses) == 0 {
			t.Errorf("%+v: %v, %v, %v", tc.s, got, got.addresses, err)
		}
	}
	for given, want := range map[string]string{
		"chat.example.org":              "https://chat.example.org",
		"https://Chat.Example.org/room": "https://chat.example.org",
		"http://127.0.0.1:8080/":        "http://127.0.0.1:8080",
		"https://[2001:db8::5]":         "https://[2001:db8::5]",
		"https://chat.example.org:443":  "https://chat.example.org",
		"http://[2001:db8::5]:80":       "http://[2001:db8::5]",
		"https://chat.example.org:80":   "https://chat.example.org:80",
		"bücher.example":                "https://xn--bcher-kva.example",
	} {
		if got, err := urlTarget(given); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v", given, got, err)
		}
	}
}
