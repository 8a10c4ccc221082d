package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// overhearLimit bounds what is read of an answer of the ACME server, in bytes.
const overhearLimit = 1 << 20

// overhear is the ACME client's way to its server. It remembers why the CA
// refused a name last: autocert drops the reason, which is the one thing that
// helps an operator ("203.0.113.9: connection refused"). It can also be stopped,
// which autocert cannot.
type overhear struct {
	base    http.RoundTripper
	stopped chan struct{}
	once    sync.Once

	mu      sync.Mutex        // guards reasons
	reasons map[string]string // by domain; "" for what names none
}

func newOverhear(base http.RoundTripper) *overhear {
	return &overhear{base: base, stopped: make(chan struct{}), reasons: map[string]string{}}
}

// stop ends the requests under way and refuses further ones.
func (o *overhear) stop() { o.once.Do(func() { close(o.stopped) }) }

// reason is why the domain was refused last, once.
func (o *overhear) reason(domain string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.reasons[domain]
	if text == "" {
		text = o.reasons[""]
	}
	delete(o.reasons, domain)
	delete(o.reasons, "")
	return text
}

// RoundTrip implements http.RoundTripper.
func (o *overhear) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-o.stopped:
			cancel()
		case <-ctx.Done(): // the request is over
		}
	}()
	resp, err := o.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	// The body is read here, because cancel ends it.
	body, err := io.ReadAll(io.LimitReader(resp.Body, overhearLimit+1))
	_ = resp.Body.Close() // it has been read
	if err != nil {
		return nil, err
	}
	if len(body) > overhearLimit {
		return nil, errors.New("the ACME server's answer is too long")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	o.note(resp.StatusCode, body)
	return resp, nil
}

// problem is an error of RFC 7807, as ACME uses it.
type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// note remembers what an answer says about a refusal: a problem document, or a
// failed authorization (RFC 8555 section 7.1.4).
func (o *overhear) note(status int, body []byte) {
	var answer struct {
		problem
		Status     string `json:"status"`
		Identifier struct {
			Value string `json:"value"`
		} `json:"identifier"`
		Challenges []struct {
			Error *problem `json:"error"`
		} `json:"challenges"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if status >= http.StatusBadRequest && !strings.HasSuffix(answer.Type, ":badNonce") {
		o.reasons[""] = answer.Detail
	}
	for _, c := range answer.Challenges {
		if answer.Status == "invalid" && c.Error != nil {
			o.reasons[answer.Identifier.Value] = c.Error.Detail
		}
	}
}
