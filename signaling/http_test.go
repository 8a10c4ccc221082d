package signaling_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"smalltalk/signaling"
)

const jsonType = "application/json"

func TestGuestsOverHTTP(t *testing.T) {
	e := start(t, options{})
	status, m, resp := e.do(http.MethodPost, "/api/v1/guests", `{"name":" Sunny Otter "}`, "Content-Type", "application/json; charset=utf-8")
	user := m.sub("user")
	if status != http.StatusCreated || user.str("name") != "Sunny Otter" || user["guest"] != true || user.str("id") == "" || m.str("token") != "" {
		t.Fatalf("%d %v", status, m)
	}
	cookie := resp.Cookies()[0]
	if cookie.Name != "st" || !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.MaxAge <= 0 {
		t.Errorf("cookie %v", cookie)
	}
	sent := cookie.Name + "=" + cookie.Value
	status, m, resp = e.do(http.MethodPost, "/api/v1/guests", "", "Content-Type", jsonType, "Cookie", sent)
	if status != http.StatusOK || m.sub("user").str("id") != user.str("id") || len(resp.Cookies()) != 0 {
		t.Errorf("again: %d %v", status, m)
	}
	// A native client keeps its token itself, and never gets that of a cookie.
	status, m, resp = e.do(http.MethodPost, "/api/v1/guests", `{}`, "Content-Type", jsonType, "Cookie", sent, "Smalltalk-Client", "native")
	if status != http.StatusCreated || m.str("token") == "" || m.sub("user").str("id") == user.str("id") || len(resp.Cookies()) != 0 {
		t.Errorf("native: %d %v", status, m)
	}
	token := m.str("token")
	status, m, _ = e.do(http.MethodGet, "/api/v1/users/me", "", "Authorization", "Bearer "+token)
	if status != http.StatusOK || m.str("name") == "" {
		t.Errorf("me by token: %d %v", status, m)
	}
	status, m, _ = e.do(http.MethodGet, "/api/v1/users/me", "", "Cookie", sent)
	if status != http.StatusOK || m.str("id") != user.str("id") {
		t.Errorf("me by cookie: %d %v", status, m)
	}
}

// TestSecureCookie is what a browser gets over TLS or through a TLS proxy.
func TestSecureCookie(t *testing.T) {
	e := start(t, options{})
	_, _, resp := e.do(http.MethodPost, "/api/v1/guests", `{}`, "Content-Type", jsonType, "Host", "talk.example.org")
	if c := resp.Cookies()[0]; c.Name != "__Host-st" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
}

func TestSignOut(t *testing.T) {
	e := start(t, options{})
	a, b := e.join("a"), e.join("b")
	e.pair(a, b)
	status, _, resp := e.do(http.MethodDelete, "/api/v1/sessions", "", "Authorization", "Bearer "+a.token)
	if status != http.StatusNoContent || resp.Cookies()[0].MaxAge >= 0 {
		t.Errorf("%d %v", status, resp.Cookies())
	}
	a.wantError("unauthorized")
	a.wantClosed(4401)
	if end := b.want("call.end"); end.str("reason") != "left" {
		t.Errorf("call.end %v", end)
	}
	if status, m, _ := e.do(http.MethodGet, "/api/v1/users/me", "", "Authorization", "Bearer "+a.token); status != http.StatusUnauthorized || m.str("code") != "unauthorized" {
		t.Errorf("%d %v", status, m)
	}
	if status, _, _ := e.do(http.MethodDelete, "/api/v1/sessions", ""); status != http.StatusNoContent {
		t.Errorf("without a token: %d", status)
	}
}

func TestPlainRoutes(t *testing.T) {
	e := start(t, options{})
	for _, path := range []string{"/api/v1/healthz", "/api/v1/readyz", "/api/v1/topics"} {
		status, m, resp := e.do(http.MethodGet, path, "")
		if status != http.StatusOK || len(m) == 0 {
			t.Errorf("%s: %d %v", path, status, m)
		}
		for _, h := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy"} {
			if resp.Header.Get(h) == "" {
				t.Errorf("%s has no %s", path, h)
			}
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be stored", path)
		}
	}
	_, m, _ := e.do(http.MethodGet, "/api/v1/topics", "")
	if list := m["topics"].([]any); len(list) != 2 || message(list[0].(map[string]any)).str("name") != "Gaming" {
		t.Errorf("topics %v", m)
	}
	resp, err := e.http.Get(e.web.URL + "/anything")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "web" {
		t.Errorf("%q %v", b, err)
	}
}

// TestBadHTTP sends what no client should; each gets a status and a stable code.
func TestBadHTTP(t *testing.T) {
	e := start(t, options{})
	big := `{"name":"` + strings.Repeat("x", 10<<20) + `"}`
	tests := map[string]struct {
		method, path, body string
		header             []string
		status             int
		code               string
	}{
		"10 MB":                 {"POST", "/api/v1/guests", big, []string{"Content-Type", jsonType}, 413, "too_large"},
		"no content type":       {"POST", "/api/v1/guests", `{}`, nil, 415, "bad_message"},
		"form":                  {"POST", "/api/v1/guests", `name=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "bad_message"},
		"text":                  {"POST", "/api/v1/guests", `{}`, []string{"Content-Type", "text/plain"}, 415, "bad_message"},
		"cross-site":            {"POST", "/api/v1/guests", `{}`, []string{"Content-Type", jsonType, "Sec-Fetch-Site", "cross-site"}, 403, "unauthorized"},
		"foreign origin":        {"POST", "/api/v1/guests", `{}`, []string{"Content-Type", jsonType, "Origin", "https://evil.example"}, 403, "unauthorized"},
		"cross-site sign out":   {"DELETE", "/api/v1/sessions", "", []string{"Sec-Fetch-Site", "cross-site"}, 403, "unauthorized"},
		"not JSON":              {"POST", "/api/v1/guests", `{`, []string{"Content-Type", jsonType}, 400, "bad_message"},
		"array":                 {"POST", "/api/v1/guests", `[]`, []string{"Content-Type", jsonType}, 400, "bad_message"},
		"name too long":         {"POST", "/api/v1/guests", `{"name":"` + strings.Repeat("n", 25) + `"}`, []string{"Content-Type", jsonType}, 400, "bad_message"},
		"nobody":                {"GET", "/api/v1/users/me", "", nil, 401, "unauthorized"},
		"bad bearer":            {"GET", "/api/v1/users/me", "", []string{"Authorization", "Bearer x"}, 401, "unauthorized"},
		"other scheme":          {"GET", "/api/v1/users/me", "", []string{"Authorization", "Basic eDp4"}, 401, "unauthorized"},
		"nothing there":         {"GET", "/api/v1/nothing", "", nil, 404, "not_found"},
		"nothing there either":  {"GET", "/api", "", nil, 404, "not_found"},
		"other version":         {"POST", "/api/v2/guests", `{}`, []string{"Content-Type", jsonType}, 404, "not_found"},
		"method":                {"PUT", "/api/v1/guests", `{}`, []string{"Content-Type", jsonType}, 405, "bad_message"},
		"WebSocket, but is not": {"GET", "/api/v1/ws", "", nil, 426, "bad_message"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			status, m, _ := e.on(t).do(tc.method, tc.path, tc.body, tc.header...)
			if status != tc.status || m.str("code") != tc.code || m.str("message") == "" || m.str("retry") == "" {
				t.Errorf("%d %v, want %d %s", status, m, tc.status, tc.code)
			}
		})
	}
	t.Run("10 MB without a length", func(t *testing.T) {
		body := struct{ io.Reader }{strings.NewReader(big)} // hides the length from the client
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.web.URL+"/api/v1/guests", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", jsonType)
		resp, err := e.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
	if opened := e.srv.Stats().Guests; opened != 0 {
		t.Errorf("%d guests were made", opened)
	}
}

func TestGuestsOff(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Access = signaling.AccessGuestsOff }})
	if status, m, _ := e.do(http.MethodPost, "/api/v1/guests", `{}`, "Content-Type", jsonType); status != 401 || m.str("code") != "unauthorized" || m.str("retry") != "never" {
		t.Errorf("%d %v", status, m)
	}
	c := e.dial("x")
	c.send(message{"type": "hello", "versions": []int{1}, "guest": message{}})
	refusal{"unauthorized", 4401}.check(c)
}

func TestAddressLimits(t *testing.T) {
	e := start(t, options{remote: "192.0.2.7:4711", config: func(c *signaling.Config) {
		c.Limits.Guests = signaling.Limit{Burst: 2}
		c.Limits.Connects = signaling.Limit{Burst: 4}
		c.Limits.Open = 3
	}})
	for i := range 3 {
		status, m, resp := e.do(http.MethodPost, "/api/v1/guests", `{}`, "Content-Type", jsonType)
		if i < 2 && status != http.StatusCreated {
			t.Errorf("guest %d: %d %v", i, status, m)
		}
		if i == 2 && (status != http.StatusTooManyRequests || m.str("code") != "rate_limited" || resp.Header.Get("Retry-After") == "") {
			t.Errorf("guest %d: %d %v", i, status, m)
		}
	}
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	for range 3 {
		e.dial("x")
	}
	for _, what := range []string{"too many open", "too many opened"} {
		if status, m, _ := e.do(http.MethodGet, "/api/v1/ws", "", upgrade...); status != http.StatusTooManyRequests || m.str("code") != "rate_limited" {
			t.Errorf("%s: %d %v", what, status, m)
		}
	}
}

// TestProxiedAddressLimits is the limits behind a reverse proxy on the same machine: each of its clients has
// its own, and nobody gets new ones by naming addresses himself.
func TestProxiedAddressLimits(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Limits.Guests = signaling.Limit{Burst: 1} }})
	for _, tc := range []struct {
		forwarded string
		status    int
	}{
		{"192.0.2.7", http.StatusCreated},
		{"203.0.113.9, 192.0.2.7", http.StatusTooManyRequests},
		{"192.0.2.8", http.StatusCreated},
	} {
		status, m, _ := e.do(http.MethodPost, "/api/v1/guests", `{}`, "Content-Type", jsonType, "X-Forwarded-For", tc.forwarded)
		if status != tc.status {
			t.Errorf("%s: %d %v, want %d", tc.forwarded, status, m, tc.status)
		}
	}
}

func TestServerFull(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.MaxSessions = 1 }})
	a := e.join("a")
	b := e.dial("b")
	b.send(message{"type": "hello", "versions": []int{1}, "guest": message{}})
	refusal{"server_full", 4429}.check(b)
	a.resumes() // who is in may come back
	if n := e.srv.Stats().Guests; n != 1 {
		t.Errorf("%d guests were made, one of whom could come in", n)
	}
}

// TestStopping is a server on its way down: it takes nobody, and says so.
func TestStopping(t *testing.T) {
	e := start(t, options{})
	waiting := e.dial("no hello yet")
	a := e.join("a")
	if err := e.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if d := a.want("drain"); d.num("reconnect_after_ms") <= 0 {
		t.Errorf("drain %v", d)
	}
	a.wantClosed(1012)
	refusal{"draining", 1012}.check(waiting)
	if status, m, _ := e.do(http.MethodGet, "/api/v1/readyz", ""); status != http.StatusServiceUnavailable || m.str("code") != "draining" {
		t.Errorf("%d %v", status, m)
	}
	if status, _, _ := e.do(http.MethodGet, "/api/v1/healthz", ""); status != http.StatusOK {
		t.Errorf("healthz %d", status)
	}
}
