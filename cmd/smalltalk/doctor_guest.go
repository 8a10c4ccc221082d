package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// clockOff is a difference between two clocks that is worth a warning, in either
// direction: certificates and signed tokens have times in them.
const clockOff = 30 * time.Second

// checkAPI asks for the server's health. It returns whether the rest has a
// server to talk to.
func (d *doctor) checkAPI(ctx context.Context, client *http.Client) bool {
	for _, path := range []string{"healthz", "readyz"} {
		start := time.Now()
		var status string
		date, err := within(ctx, d.limit, func(ctx context.Context) (date time.Time, err error) {
			date, status, err = ask(ctx, client, d.target.String()+"/api/v1/"+path)
			return date, err
		})
		if err != nil {
			f := finding{Verdict: isFailure, What: "API " + path, Detail: err.Error(),
				Change: "look at what answers on " + d.target.url.Host + ": another program, a proxy that does not pass on /api/v1, or a server that is stopping"}
			if moved := (*movedTo)(nil); errors.As(err, &moved) {
				f.Change = "examine the address that it leads to, as in smalltalk doctor " + moved.base()
				if moved.base() == d.target.String() {
					f.Change = "it goes round in circles: the proxy in front speaks plain HTTP to a server that has TLS of its own, so let it speak HTTPS there"
				}
			}
			d.tell(f)
			return false
		}
		f := finding{Verdict: isFine, What: "API " + path, Detail: "answers"}
		if status != "ready" && path == "readyz" {
			f = finding{Verdict: isWarning, What: f.What, Detail: "the server is " + status + ": it cannot write to its disk",
				Change: "see the server's log, and make space on the disk of its data folder"}
		}
		d.tell(f)
		if path == "healthz" && !d.local && !date.IsZero() {
			now := start.Add(time.Since(start) / 2)
			d.tell(judgeClock(date.Sub(now)))
		}
	}
	return true
}

// ask makes one request that must be answered with JSON that has a status, and
// returns the answer's date and that status.
func ask(ctx context.Context, client *http.Client, url string) (time.Time, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return time.Time{}, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return time.Time{}, "", err
	}
	defer resp.Body.Close()
	if to, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		return time.Time{}, "", &movedTo{to}
	}
	var health struct {
		Status string `json:"status"`
	}
	body := json.NewDecoder(io.LimitReader(resp.Body, 64<<10))
	if err := body.Decode(&health); err != nil || resp.StatusCode != http.StatusOK || health.Status == "" {
		return time.Time{}, "", fmt.Errorf("answered with %s, not as a Small Talk server does", resp.Status)
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, health.Status, nil // a proxy may leave it out; the clock is then not compared
	}
	return date, health.Status, nil
}

// movedTo is an answer that sends to another address.
type movedTo struct{ to *url.URL }

func (m *movedTo) Error() string { return "it leads to " + m.to.String() }

// base is where the server seems to be.
func (m *movedTo) base() string { return m.to.Scheme + "://" + m.to.Host }

// judgeClock looks at how far the server's clock is ahead of ours.
func judgeClock(ahead time.Duration) finding {
	// The header has whole seconds.
	if ahead < clockOff && ahead > -clockOff {
		return finding{Verdict: isFine, What: "clock", Detail: "within 30 s of this machine's"}
	}
	side := "ahead of"
	if ahead < 0 {
		side, ahead = "behind", -ahead
	}
	return finding{Verdict: isWarning, What: "clock", Detail: fmt.Sprintf("the server's is %v %s this machine's", ahead.Round(time.Second), side),
		Change: "let both machines set their clocks by NTP, for example with systemd-timesyncd: certificates and sign-ins have times in them"}
}

// iceServer is a way in that the server names.
type iceServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// said is a message of the server: the fields that the doctor reads.
type said struct {
	Type         string      `json:"type"`
	Re           string      `json:"re"`
	Code         string      `json:"code"`
	Message      string      `json:"message"`
	RetryAfterMS int64       `json:"retry_after_ms"`
	SDP          string      `json:"sdp"`
	ICEServers   []iceServer `json:"ice_servers"`
}

// refusal is an error that the server names in the protocol's terms.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.message + " (" + r.code + ")" }

// errOrigin is that the server takes its own page for one of somebody else.
var errOrigin = errors.New("the server refuses the page of this address: 403 Forbidden")

// guestSession is the doctor's own session with the server.
type guestSession struct {
	client  *http.Client
	base    string
	header  http.Header // of each request, as a page of the server's sends them
	token   string      // of the guest, until leave signs it out
	ws      *websocket.Conn
	welcome said
	gen     int

	heard  chan said     // what the doctor waits for
	ended  chan struct{} // closed when the socket has
	cancel context.CancelFunc
}

// enter connects as a new guest, in the steps of a browser.
func (d *doctor) enter(ctx context.Context, client *http.Client) (*guestSession, error) {
	return within(ctx, d.limit, func(ctx context.Context) (*guestSession, error) {
		g := &guestSession{client: client, base: d.target.String(), header: http.Header{"Origin": {d.target.String()}}}
		if d.local && len(d.settings.proxies) > 0 {
			g.header.Set("X-Forwarded-For", "127.0.0.1") // in place of the proxy, which is left out
		}
		if err := g.signIn(ctx); err != nil {
			return nil, fmt.Errorf("make a guest: %w", err)
		}
		if err := g.connect(ctx); err != nil {
			_ = g.leave(ctx) // err says more
			return nil, err
		}
		return g, nil
	})
}

// signIn makes the guest.
func (g *guestSession) signIn(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base+"/api/v1/guests", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	req.Header = g.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Smalltalk-Client", "native") // else the token comes as a cookie only
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var reply struct {
		Token   string `json:"token"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&reply)
	switch {
	case resp.StatusCode == http.StatusForbidden:
		return errOrigin
	case err == nil && reply.Code != "":
		return &refusal{reply.Code, reply.Message}
	case err != nil || resp.StatusCode != http.StatusCreated || reply.Token == "":
		return fmt.Errorf("answered with %s, not as a Small Talk server does", resp.Status)
	}
	g.token = reply.Token
	return nil
}

// connect opens the WebSocket and says hello.
func (g *guestSession) connect(ctx context.Context) error {
	ws, resp, err := websocket.Dial(ctx, g.base+"/api/v1/ws", &websocket.DialOptions{HTTPClient: g.client, HTTPHeader: g.header})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	switch {
	case err != nil && resp != nil && resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("open a WebSocket: %w", errOrigin)
	case err != nil:
		return fmt.Errorf("open a WebSocket: %w", err)
	}
	ws.SetReadLimit(1 << 20)
	g.ws, g.heard, g.ended = ws, make(chan said, 16), make(chan struct{})
	// It lives until leave, longer than this check.
	var life context.Context
	life, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go g.listen(life)
	g.welcome, err = g.ask(ctx, "welcome", map[string]any{
		"type": "hello", "versions": []int{1}, "token": g.token,
		"client": map[string]string{"name": "doctor", "version": version(), "platform": "go"},
	})
	if err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	return nil
}

// enterFailed says why a guest was not let in.
func enterFailed(err error) finding {
	f := finding{Verdict: isFailure, What: "WebSocket", Detail: err.Error(),
		Change: "if a proxy stands in front, let it pass on WebSockets (Upgrade and Connection headers) on /api/v1/ws"}
	if errors.Is(err, errOrigin) {
		f.Change = "let the proxy pass on Host, or name the origin with --origin: no browser gets in otherwise"
	}
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		f.Change = "the server answered, but lets no guest in now: see what it says"
		if refused.code == "unauthorized" {
			f.Verdict, f.Change = isWarning, "the ways in were not tried, since that takes a guest: allow guests for that time"
		}
	}
	return f
}

// listen reads until the socket ends. Only what the doctor waits for is kept, so
// that reading, which also answers pings, never stands still.
func (g *guestSession) listen(ctx context.Context) {
	defer close(g.ended)
	for {
		_, data, err := g.ws.Read(ctx)
		if err != nil {
			return
		}
		var m said
		if json.Unmarshal(data, &m) != nil {
			continue
		}
		switch m.Type {
		case "welcome", "rtc.answer", "error":
			select {
			case g.heard <- m:
			default: // nobody waits for so many
			}
		}
	}
}

// ask sends a message and waits for the answer of a type, or an error.
func (g *guestSession) ask(ctx context.Context, kind string, m map[string]any) (said, error) {
	for len(g.heard) > 0 {
		<-g.heard // of an earlier question, which was given up
	}
	data, err := json.Marshal(m)
	if err != nil {
		return said{}, err
	}
	if err := g.ws.Write(ctx, websocket.MessageText, data); err != nil {
		return said{}, fmt.Errorf("the WebSocket broke: %w", err)
	}
	for {
		select {
		case answer := <-g.heard:
			switch answer.Type {
			case kind:
				return answer, nil
			case "error":
				return said{}, &refusal{answer.Code, answer.Message}
			}
		case <-g.ended:
			return said{}, errors.New("the server closed the WebSocket")
		case <-ctx.Done():
			return said{}, ctx.Err()
		}
	}
}

// offer has the server answer an offer of a new connection.
func (g *guestSession) offer(ctx context.Context, sdp string) (string, error) {
	g.gen++
	answer, err := g.ask(ctx, "rtc.answer", map[string]any{"type": "rtc.offer", "sdp": sdp, "gen": g.gen})
	return answer.SDP, err
}

// leave ends the session and signs the guest out, so that nothing of the doctor
// is left on the server.
func (g *guestSession) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTime)
	defer cancel()
	if g.ws != nil {
		_ = g.ws.Close(websocket.StatusNormalClosure, "") // it may be closed already
		g.cancel()
		<-g.ended
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, g.base+"/api/v1/sessions", nil)
	if err != nil {
		return err
	}
	req.Header = g.header.Clone()
	req.Header.Set("Authorization", "Bearer "+g.token)
	resp, err := g.client.Do(req)
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	_ = resp.Body.Close() // it is empty
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("sign out: answered with %s", resp.Status)
	}
	return nil
}
