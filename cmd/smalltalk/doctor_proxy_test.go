package main

import (
	"crypto/x509"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// proxy stands in front of a server, as a web server with a site of its own
// does. change is what it makes of a request.
func proxy(t *testing.T, p *process, change func(*httputil.ProxyRequest)) string {
	t.Helper()
	to, err := url.Parse(p.base)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		change(r)
	}})
	t.Cleanup(front.Close)
	return front.URL
}

// TestDoctorHostNotPassedOn: a proxy that does not pass on Host makes the server
// refuse its own page, which the doctor finds as a browser does, and the server
// says.
func TestDoctorHostNotPassedOn(t *testing.T) {
	p := start(t, t.TempDir(), "--trust-proxy", "127.0.0.1")
	front := proxy(t, p, func(r *httputil.ProxyRequest) { r.SetXForwarded(); r.Out.Header.Del("X-Forwarded-Host") })
	r, code := doctorSays(t, front)
	if f := r.of(t, "WebSocket"); code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Change, "pass on Host") || !strings.Contains(f.Change, "--origin") {
		t.Errorf("exit code %d: %+v", code, f)
	}
	if log := p.logged(); !strings.Contains(log, "origin="+front) || !strings.Contains(log, "host="+strings.TrimPrefix(p.base, "http://")) {
		t.Errorf("logged:\n%s", log)
	}
	for name, change := range map[string]func(*httputil.ProxyRequest){
		"Host":             func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		"X-Forwarded-Host": func(r *httputil.ProxyRequest) { r.SetXForwarded() },
	} {
		if r, code := doctorSays(t, proxy(t, p, change)); code != exitOK || r.of(t, "WebSocket").Verdict != isFine {
			t.Errorf("%s passed on: exit code %d: %+v", name, code, r)
		}
	}
}

// TestDoctorInsteadOfProxy: on the server itself the doctor comes without the
// proxy in front, and must not be taken for one that is set up wrong.
func TestDoctorInsteadOfProxy(t *testing.T) {
	p := start(t, t.TempDir(), "--trust-proxy", "127.0.0.1,::1")
	args := []string{"--listen", "localhost:" + portOf(p), "--data", dataOf(p), "--trust-proxy", "127.0.0.1,::1", "--stun", "off"}
	if r, code := doctorSays(t, args...); code != exitOK || r.of(t, "WebSocket").Verdict != isFine {
		t.Errorf("exit code %d: %+v", code, r)
	}
	if log := p.logged(); strings.Contains(log, "X-Forwarded-For") {
		t.Errorf("logged:\n%s", log)
	}
}

// TestDoctorRedirectLoop: a proxy that speaks plain HTTP to a server with TLS of
// its own gets nothing but its own address.
func TestDoctorRedirectLoop(t *testing.T) {
	cert, key := loopbackCertificate(t, x509.Certificate{})
	p := start(t, t.TempDir(), "--cert", cert, "--key", key, "--trust-proxy", "127.0.0.1")
	to := &url.URL{Scheme: "http", Host: strings.TrimPrefix(p.base, "https://")}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}})
	defer front.Close()
	r, code := doctorSays(t, front.URL)
	if f := r.of(t, "API healthz"); code != exitFailure || !strings.Contains(f.Change, "let it speak HTTPS") {
		t.Errorf("exit code %d: %+v", code, f)
	}
}
