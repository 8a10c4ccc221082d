package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestFront(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tc := range []struct {
		name   string
		peer   string
		header http.Header
		want   string // client, host, encrypted
	}{
		{"nobody between", "192.0.2.1:5", nil, "192.0.2.1:5 own false"},
		{"a stranger's claims", "192.0.2.1:5", http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil"}}, "192.0.2.1:5 own false"},
		{"a proxy's", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"chat.example.org"}}, "203.0.113.9:0 chat.example.org true"},
		{"a proxy that says nothing", "127.0.0.1:5", nil, "127.0.0.1:5 own false"},
		{"IPv6", "[fd00::1]:5", http.Header{"X-Forwarded-For": {"2001:db8::7"}}, "[2001:db8::7]:0 own false"},
		{"IPv6 with a port", "[fd00::1]:5", http.Header{"X-Forwarded-For": {"[2001:db8::7]:443"}}, "[2001:db8::7]:0 own false"},
		{"IPv6 in brackets", "[fd00::1]:5", http.Header{"X-Forwarded-For": {"[2001:db8::7]"}}, "[2001:db8::7]:0 own false"},
		{"mapped", "[::ffff:127.0.0.1]:5", http.Header{"X-Forwarded-For": {"::ffff:203.0.113.9"}}, "203.0.113.9:0 own false"},
		{"two proxies", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"203.0.113.9, 10.1.2.3"}}, "203.0.113.9:0 own false"},
		{"what the client wrote itself", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"1.2.3.4, 203.0.113.9, 10.1.2.3"}}, "203.0.113.9:0 own false"},
		{"two headers", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"1.2.3.4", "203.0.113.9"}}, "203.0.113.9:0 own false"},
		{"only proxies", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"10.0.0.9, 10.1.2.3"}}, "10.0.0.9:0 own false"},
		{"nonsense", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"unknown"}}, "127.0.0.1:5 own false"},
		{"nonsense before a proxy", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"unknown, 10.1.2.3"}}, "10.1.2.3:0 own false"},
		{"in the clear", "127.0.0.1:5", http.Header{"X-Forwarded-Proto": {"http"}}, "127.0.0.1:5 own false"},
		{"a list of schemes", "127.0.0.1:5", http.Header{"X-Forwarded-Proto": {"HTTPS, http"}}, "127.0.0.1:5 own true"},
		{"no network", "pipe", http.Header{"X-Forwarded-For": {"203.0.113.9"}}, "pipe own false"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got string
			f := &front{proxies: proxies, next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = fmt.Sprintf("%s %s %v", r.RemoteAddr, r.Host, r.TLS != nil)
			})}
			req := httptest.NewRequest(http.MethodGet, "/", nil)
			req.RemoteAddr, req.Host = tc.peer, "own"
			if tc.header != nil {
				req.Header = tc.header
			}
			f.ServeHTTP(httptest.NewRecorder(), req)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if req.RemoteAddr != tc.peer || req.Host != "own" {
				t.Error("the server's own request was changed")
			}
		})
	}
}

// TestProxyNamesNoClient: it is said once, and of clients only.
func TestProxyNamesNoClient(t *testing.T) {
	var log bytes.Buffer
	f := &front{
		proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, next: http.NotFoundHandler(), log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	for i, tc := range []struct {
		peer, path, header string
		said               bool
	}{
		{"10.0.0.1:5", "/api/v1/ws", "203.0.113.9", false},
		{"192.0.2.1:5", "/api/v1/ws", "", false},
		{"10.0.0.1:5", "/api/v1/healthz", "", false},
		{"10.0.0.1:5", "/api/v1/ws", "unknown", true},
		{"10.0.0.1:5", "/api/v1/ws", "", false},
	} {
		req := httptest.NewRequest(http.MethodGet, tc.path, nil)
		req.RemoteAddr = tc.peer
		if tc.header != "" {
			req.Header.Set("X-Forwarded-For", tc.header)
		}
		log.Reset()
		f.ServeHTTP(httptest.NewRecorder(), req)
		if said := strings.Contains(log.String(), "X-Forwarded-For") && strings.Contains(log.String(), "proxy=10.0.0.1:5"); said != tc.said {
			t.Errorf("%d: logged %q", i, log.String())
		}
	}
}

func TestStrictTransport(t *testing.T) {
	for _, tc := range []struct {
		hsts, encrypted bool
		want            string
	}{{true, true, hstsYear}, {true, false, ""}, {false, true, ""}} {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		if tc.encrypted {
			req.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		(&front{hsts: tc.hsts, next: http.NotFoundHandler()}).ServeHTTP(w, req)
		if got := w.Header().Get("Strict-Transport-Security"); got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
	}
}
