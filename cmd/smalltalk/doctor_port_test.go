package main

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestDoctorPortTaken: with the server's settings a program that has its port is
// not taken for the server.
func TestDoctorPortTaken(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	cert, key := loopbackCertificate(t, x509.Certificate{})
	for name, tc := range map[string]struct {
		start func(*httptest.Server)
		args  []string
	}{
		"HTTP for HTTPS": {(*httptest.Server).Start, []string{"--cert", cert, "--key", key}},
		"HTTPS":          {(*httptest.Server).StartTLS, []string{"--cert", cert, "--key", key}},
		"HTTP":           {(*httptest.Server).Start, nil},
	} {
		t.Run(name, func(t *testing.T) {
			other := httptest.NewUnstartedServer(handler)
			other.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
			tc.start(other)
			defer other.Close()
			at := other.Listener.Addr().String()
			r, code := doctorSays(t, append([]string{"--listen", at, "--data", t.TempDir(), "--stun", "off"}, tc.args...)...)
			f := r.of(t, "server")
			if code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Change, "port "+at[strings.LastIndexByte(at, ':')+1:]+" belongs to another program: see `ss -ltnp`") {
				t.Errorf("exit code %d: %+v", code, f)
			}
			if i := slices.IndexFunc(r.Checks, func(f finding) bool { return f.What == "certificate" || f.What == "API healthz" }); i >= 0 {
				t.Errorf("the other program was examined: %+v", r.Checks[i])
			}
		})
	}
}

// TestDoctorBeforeCertificate: a server that waits for its first certificate is
// still told from another program.
func TestDoctorBeforeCertificate(t *testing.T) {
	directory := httptest.NewTLSServer(http.NotFoundHandler())
	defer directory.Close()
	args := []string{"--domain", "chat.example.org", "--acme-directory", directory.URL, "--stun", "off", "--data", t.TempDir()}
	p := await(t, program(append([]string{"--listen", "127.0.0.1:0"}, args...)...))
	r, code := doctorSays(t, append([]string{"--listen", "127.0.0.1:" + portOf(p)}, args...)...)
	if f := r.of(t, "certificate"); code != exitFailure || r.of(t, "server").Verdict != isFine || !strings.Contains(f.Change, "no certificate until") {
		t.Errorf("exit code %d: %+v", code, r)
	}
}

// TestDoctorWithoutSettings: typed on its own on a machine whose server has
// settings, it looks in the wrong place and must not call that fine.
func TestDoctorWithoutSettings(t *testing.T) {
	if l, err := net.Listen("tcp", "localhost:8080"); err != nil {
		t.Logf("judged without a look at port 8080: %v", err)
	} else {
		_ = l.Close()
		r, code := doctorSays(t)
		if f := r.of(t, "server"); code != exitFailure || !strings.Contains(f.Change, "--config") {
			t.Errorf("exit code %d: %+v", code, f)
		}
	}
	d := &doctor{settings: settings{Listen: "localhost:8080"}}
	if f := d.judgeServer(nobody); f.Verdict != isFailure || !strings.Contains(f.Change, "--config") {
		t.Errorf("%+v", f)
	}
	d.settings.given = true
	if f := d.judgeServer(nobody); f.Verdict != isWarning {
		t.Errorf("%+v", f)
	}
}

// TestDoctorForgottenS: who writes http of a server that has HTTPS is told so,
// whether the port is closed or leads to https.
func TestDoctorForgottenS(t *testing.T) {
	cert, key := loopbackCertificate(t, x509.Certificate{})
	p := start(t, t.TempDir(), "--cert", cert, "--key", key)
	r, code := doctorSays(t, "http://127.0.0.1:"+portOf(p))
	if f := r.of(t, "API healthz"); code != exitFailure || !strings.HasSuffix(f.Change, "smalltalk doctor https://127.0.0.1:"+portOf(p)) {
		t.Errorf("exit code %d: %+v", code, f)
	}
	at := netip.MustParseAddrPort("[2001:db8::5]:80")
	if noRoute(at) {
		at = netip.MustParseAddrPort("127.0.0.1:80")
	}
	for text, want := range map[string]bool{"http://[2001:db8::5]": true, "https://[2001:db8::5]:80": false} {
		for _, err := range []error{syscall.ECONNREFUSED, syscall.ETIMEDOUT} {
			to, parseErr := urlTarget(text)
			if parseErr != nil {
				t.Fatal(parseErr)
			}
			if f := unreachable("TCP", at, to, err); strings.HasSuffix(f.Change, "examine https://[2001:db8::5]") != want {
				t.Errorf("%s, %v: %+v", text, err, f)
			}
		}
	}
}
