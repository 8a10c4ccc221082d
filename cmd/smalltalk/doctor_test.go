package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// loopbackCertificate is a certificate for this machine, in files of dir.
func loopbackCertificate(t *testing.T, template x509.Certificate) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if template.DNSNames == nil {
		template.DNSNames = []string{"localhost"}
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(60*24*time.Hour)
	}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	writePair(t, testCertificateFor(t, template), cert, key)
	return cert, key
}

// doctorSays runs the command and returns its report and exit code.
func doctorSays(t *testing.T, args ...string) (report, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), append([]string{"doctor", "--json"}, args...), &out, &errs)
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("exit code %d, printed %q and %q: %v", code, out.String(), errs.String(), err)
	}
	for _, f := range r.Checks {
		if (f.Change == "") != (f.Verdict == isFine) {
			t.Errorf("%s %s: what to change is %q", f.Verdict, f.What, f.Change)
		}
	}
	return r, code
}

// of finds the one finding about something.
func (r report) of(t *testing.T, what string) finding {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(f finding) bool { return f.What == what })
	if i < 0 {
		t.Fatalf("nothing about %q in %+v", what, r.Checks)
	}
	return r.Checks[i]
}

func portOf(p *process) string { return p.base[strings.LastIndexByte(p.base, ':')+1:] }

func hasIPv6() bool { return len(loopbacks("")) > 1 }

// TestDoctorWaysIn: against a real server on this machine all ways are found,
// from outside and with its own settings, and nothing fails.
func TestDoctorWaysIn(t *testing.T) {
	cert, key := loopbackCertificate(t, x509.Certificate{})
	data := t.TempDir()
	p := start(t, data, "--cert", cert, "--key", key)
	listen := "localhost:" + portOf(p)
	for name, args := range map[string][]string{
		"URL":      {"--ca", cert, "https://" + listen},
		"settings": {"--ca", cert, "--listen", listen, "--cert", cert, "--key", key, "--data", data, "--stun", "off"},
	} {
		t.Run(name, func(t *testing.T) {
			r, code := doctorSays(t, args...)
			if code != exitOK || !r.OK || r.Failed != 0 {
				t.Errorf("exit code %d: %+v", code, r)
			}
			ways := map[string]string{"way UDP IPv4": "udp", "way ICE-TCP IPv4": "tcp", "way TURN/TLS": "relay"}
			if hasIPv6() {
				ways["way UDP IPv6"], ways["way ICE-TCP IPv6"] = "udp", "tcp"
			}
			for what, path := range ways {
				f := r.of(t, what)
				if f.Verdict != isFine || f.Way == nil || f.Way.Path != path || (f.Way.Relay != "") != (path == "relay") || f.Way.Remote == "" || !strings.HasPrefix(f.Way.SRTP, "AE") {
					t.Errorf("%+v, %+v", f, f.Way)
				}
			}
			for _, what := range []string{"certificate", "TLS", "redirect", "API healthz", "API readyz", "WebSocket", "candidates", "TCP IPv4"} {
				if f := r.of(t, what); f.Verdict != isFine {
					t.Errorf("%+v", f)
				}
			}
			if name == "settings" {
				r.of(t, "free space")
				if f := r.of(t, "data folder"); !strings.Contains(f.Detail, "in use by the running server") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestDoctorPlain: without TLS on this machine there is no way by TLS, which is
// worth a warning and no more.
func TestDoctorPlain(t *testing.T) {
	p := start(t, t.TempDir())
	r, code := doctorSays(t, p.base)
	if code != exitOK || r.of(t, "way TURN/TLS").Verdict != isWarning || r.of(t, "way UDP IPv4").Verdict != isFine {
		t.Errorf("exit code %d: %+v", code, r)
	}
}

// TestDoctorWithoutGuests: where no guest is let in the ways cannot be tried.
func TestDoctorWithoutGuests(t *testing.T) {
	p := start(t, t.TempDir(), "--access", "guests-off")
	r, code := doctorSays(t, p.base)
	if f := r.of(t, "WebSocket"); code != exitOK || f.Verdict != isWarning {
		t.Errorf("exit code %d: %+v", code, f)
	}
}

// TestDoctorCertificates: what a browser would refuse fails, with the reason; the
// rest is tried all the same.
func TestDoctorCertificates(t *testing.T) {
	for _, tc := range []struct {
		name     string
		template x509.Certificate
		url      string
		trust    bool
		detail   string
	}{
		{"wrong name", x509.Certificate{DNSNames: []string{"chat.example.org"}}, "localhost", true, "chat.example.org"},
		{"expired", x509.Certificate{NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)}, "localhost", true, "expired"},
		{"unknown CA", x509.Certificate{}, "127.0.0.1", false, "signed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cert, key := loopbackCertificate(t, tc.template)
			p := start(t, t.TempDir(), "--cert", cert, "--key", key)
			args := []string{"https://" + net.JoinHostPort(tc.url, portOf(p))}
			if tc.trust {
				args = append(args, "--ca", cert)
			}
			r, code := doctorSays(t, args...)
			if f := r.of(t, "certificate"); code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Detail, tc.detail) {
				t.Errorf("exit code %d: %+v", code, f)
			}
			if f := r.of(t, "way TURN/TLS"); f.Verdict != isFailure || !strings.Contains(f.Change, "certificate") {
				t.Errorf("%+v", f)
			}
			if f := r.of(t, "way UDP IPv4"); f.Verdict != isFine {
				t.Errorf("%+v", f)
			}
		})
	}
}

// deaf is a media socket to which nothing comes through, as behind a firewall.
type deaf struct{ net.PacketConn }

func (d deaf) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if _, _, err := d.PacketConn.ReadFrom(b); err != nil {
			return 0, nil, err
		}
	}
}

// TestDoctorUDPDropped: where UDP does not come through, its ways fail and say
// which port to open; the others work.
func TestDoctorUDPDropped(t *testing.T) {
	cert, key := loopbackCertificate(t, x509.Certificate{})
	s := settings{Listen: "localhost:0", Cert: cert, Key: key, Data: t.TempDir(), Access: "open", MaxClients: 10, MaxBitrate: 1000, Grace: time.Second}
	var err error
	if s.topics, err = parseTopics([]string{"General"}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	socks, err := openSockets(t.Context(), s, log)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range socks.media {
		socks.media[i] = deaf{c}
	}
	g, err := newGate(s, socks, log)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := newServer(s, g.media(socks), log)
	if err != nil {
		t.Fatal(err)
	}
	srv.gate = g
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.run(ctx, []net.Listener{g.http}) }()

	d, err := newDoctor(t.Context(), doctorFlags{URL: "https://localhost:" + strconv.Itoa(socks.httpPort()), CA: cert}, settings{})
	if err != nil {
		t.Fatal(err)
	}
	d.limit = 2 * time.Second
	var list []finding
	d.tell = func(f finding) { list = append(list, f) }
	d.examine(t.Context())
	r := newReport("", list)
	f := r.of(t, "way UDP IPv4")
	if f.Verdict != isFailure || !strings.Contains(f.Change, "UDP port "+strconv.Itoa(socks.mediaPort())) || !strings.Contains(f.Detail, "no ICE check") {
		t.Errorf("%+v", f)
	}
	for _, what := range []string{"way ICE-TCP IPv4", "way TURN/TLS"} {
		if f := r.of(t, what); f.Verdict != isFine {
			t.Errorf("%+v", f)
		}
	}
	if n := srv.signal.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestDoctorLeavesNobody: the doctor's guest is signed out in the end.
func TestDoctorLeavesNobody(t *testing.T) {
	p := start(t, t.TempDir())
	d, err := newDoctor(t.Context(), doctorFlags{URL: p.base}, settings{})
	if err != nil {
		t.Fatal(err)
	}
	d.target.reached = d.target.addresses
	client := d.target.client()
	defer client.CloseIdleConnections()
	g, err := d.enter(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/api/v1/users/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+g.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("the guest's token is answered with %s, want %d", resp.Status, want)
		}
		if want == http.StatusOK {
			if err := g.leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestDoctorServerDown: from outside that fails; with its settings the rest of
// the machine is looked at.
func TestDoctorServerDown(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	_ = free.Close()
	r, code := doctorSays(t, "http://"+at)
	if f := r.of(t, "TCP IPv4"); code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Change, "start the server") || r.of(t, "server").Verdict != isFailure || len(r.Checks) != 2 {
		t.Errorf("exit code %d: %+v", code, r)
	}
	r, code = doctorSays(t, "--listen", at, "--media-listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "none"))
	if code != exitOK || r.of(t, "server").Verdict != isWarning || r.of(t, "ports").Verdict != isFine || !strings.Contains(r.of(t, "data folder").Detail, "not there yet") {
		t.Errorf("exit code %d: %+v", code, r)
	}
	udp := udpSocket(t)
	r, code = doctorSays(t, "--listen", at, "--media-listen", udp.LocalAddr().String(), "--data", t.TempDir())
	if f := r.of(t, "ports"); code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Change, "in use") {
		t.Errorf("exit code %d: %+v", code, f)
	}
}

// TestDoctorElsewhere: something that is no Small Talk is told apart.
func TestDoctorElsewhere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }), ReadHeaderTimeout: time.Second}
	go func() { _ = other.Serve(l) }()
	defer other.Close()
	r, code := doctorSays(t, "http://"+l.Addr().String())
	if f := r.of(t, "API healthz"); code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Change, "another program") {
		t.Errorf("exit code %d: %+v", code, f)
	}
}

// TestDoctorUsage: what was asked for wrongly is no finding.
func TestDoctorUsage(t *testing.T) {
	for _, args := range [][]string{
		{"ftp://chat.example.org"}, {"https://"}, {"https://x:99999"}, {"https://u:p@x"}, {"--ca", "/none", "https://x"}, {"--ca", "doctor_test.go", "https://x"}, {"--listen", "localhost:0"}, {"--listen", "0.0.0.0:8080"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"doctor"}, args...), &out, &errs); code != exitUsage || strings.Count(errs.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("%q: exit code %d, printed %q, %q", args, code, out.String(), errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"doctor", "--help"}, &out, &errs); code != exitOK || !strings.Contains(out.String(), "ways in") || !strings.Contains(out.String(), "--ca") {
		t.Errorf("exit code %d, printed %q", code, out.String())
	}
}

// TestDoctorTLSOnly speaks TLS to something that does not.
func TestDoctorTLSOnly(t *testing.T) {
	p := start(t, t.TempDir())
	r, code := doctorSays(t, "https://127.0.0.1:"+portOf(p))
	if f := r.of(t, "certificate"); code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Detail, "TLS") {
		t.Errorf("exit code %d: %+v", code, f)
	}
}

var _ net.PacketConn = deaf{}
