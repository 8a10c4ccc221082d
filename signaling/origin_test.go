package signaling_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"smalltalk/signaling"
)

// TestRebinding is a page of another site whose name was made to point to this machine: to the browser it
// is the server's own. Behind a TLS proxy a page has an https origin, which nobody can rebind.
func TestRebinding(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Origins = []string{"http://Nas.example:8080"} }})
	for _, tc := range []struct {
		host, origin string
		status       int
	}{
		{"evil.example:8080", "http://evil.example:8080", http.StatusForbidden},
		{"localhost.evil.example", "http://localhost.evil.example", http.StatusForbidden},
		{"127.0.0.1:8080", "http://127.0.0.1:8080", http.StatusSwitchingProtocols},
		{"localhost:8080", "http://localhost:8080", http.StatusSwitchingProtocols},
		{"192.0.2.7:8080", "http://192.0.2.7:8080", http.StatusSwitchingProtocols}, // no name that could be rebound
		{"talk.example", "https://talk.example", http.StatusSwitchingProtocols},
		{"nas.example:8080", "http://nas.example:8080", http.StatusSwitchingProtocols}, // the operator says so
	} {
		ws, resp, err := websocket.Dial(t.Context(), e.web.URL+"/api/v1/ws", &websocket.DialOptions{
			HTTPClient: e.http, HTTPHeader: http.Header{"Origin": {tc.origin}}, Host: tc.host,
		})
		if err == nil {
			_ = ws.CloseNow()
		}
		if resp == nil || resp.StatusCode != tc.status {
			t.Errorf("%s: %v, %v, want status %d", tc.origin, resp, err, tc.status)
		}
	}
}

// TestRefusedOriginIsLogged: whoever runs the server hears of a page that gets nowhere, with what the proxy in
// front made of Host, and strangers cannot fill the log with that.
func TestRefusedOriginIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		e := start(t, options{pipes: true, config: func(c *signaling.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }})
		upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
		refused := func(want int) {
			t.Helper()
			for _, ask := range []func() int{
				func() int {
					status, _, _ := e.do(http.MethodPost, "/api/v1/guests", "{}", "Content-Type", "application/json", "Origin", "https://chat.example", "Host", "127.0.0.1:8080")
					return status
				},
				func() int {
					status, _, _ := e.do(http.MethodGet, "/api/v1/ws", "", append(upgrade, "Origin", "https://"+strings.Repeat("x", 1000), "Host", "127.0.0.1:8080")...)
					return status
				},
			} {
				if status := ask(); status != http.StatusForbidden {
					t.Errorf("status %d", status)
				}
			}
			if got := strings.Count(log.String(), "level=WARN"); got != want {
				t.Errorf("%d warnings, want %d:\n%s", got, want, log.String())
			}
		}
		refused(1)
		if line := log.String(); !strings.Contains(line, "origin=https://chat.example host=127.0.0.1:8080") || !strings.Contains(line, "--origin") {
			t.Errorf("logged %q", line)
		}
		time.Sleep(59 * time.Second)
		refused(1)
		time.Sleep(time.Second)
		refused(2)
		if len(log.String()) > 2000 {
			t.Errorf("logged all of what a stranger sent: %q", log.String())
		}
	})
}

func TestOrigins(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Origins = []string{"https://example.org"} }})
	ws := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	for _, origin := range []string{"https://evil.example", "null", "http://example.org", "https://" + strings.TrimPrefix(e.web.URL, "http://") + ".evil.example"} {
		status, m, _ := e.do(http.MethodGet, "/api/v1/ws", "", append(ws, "Origin", origin)...)
		if status != http.StatusForbidden || m.str("code") != "unauthorized" {
			t.Errorf("origin %s: %d %v", origin, status, m)
		}
	}
	_, _, resp := e.do(http.MethodPost, "/api/v1/guests", `{"name":"Cookie"}`, "Content-Type", "application/json")
	cookie := resp.Cookies()[0].String()
	// With the cookie, our origin or the operator's is a must.
	for _, origin := range []string{e.web.URL, "https://example.org"} {
		c := e.dial("x", "Cookie", cookie, "Origin", origin)
		c.send(message{"type": "hello", "versions": []int{1}})
		if w := c.want("welcome"); w.sub("user").str("name") != "Cookie" || w.str("token") != "" {
			t.Errorf("welcome %v", w)
		}
		c.leave()
	}
	c := e.dial("x", "Cookie", cookie)
	c.send(message{"type": "hello", "versions": []int{1}})
	refusal{"unauthorized", 4401}.check(c)
	// guest.fresh is another person in the same browser.
	c = e.dial("x", "Cookie", cookie, "Origin", e.web.URL)
	c.send(message{"type": "hello", "versions": []int{1}, "guest": message{"fresh": true}})
	if w := c.want("welcome"); w.sub("user").str("name") == "Cookie" || w.str("token") == "" {
		t.Errorf("welcome %v", w)
	}
}
