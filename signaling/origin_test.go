package signaling_test

import (
	"net/http"
	"strings"
	"testing"

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
