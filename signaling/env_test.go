package signaling_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/signaling"
	"smalltalk/store"
)

// env is a whole server over a database: the real HTTP server, store and matcher.
type env struct {
	t       *testing.T
	path    string
	db      *store.DB
	matcher *matchmaker.Matcher
	media   *fakeMedia
	srv     *signaling.Server
	web     *httptest.Server
	http    *http.Client
	down    bool
	spec    spec          // what is promised of HTTP
	pipes   *pipeListener // nil over TCP
}

// options change what start makes.
type options struct {
	path   string // of the database; a new one if empty
	pipes  bool   // in-memory connections, which a synctest bubble needs
	remote string // address that the server believes clients to have
	free   bool   // topics beside the list
	config func(*signaling.Config)
}

var topics = []signaling.Topic{{ID: "gaming", Name: "Gaming"}, {ID: "music", Name: "Music"}}

// start brings a server up; the test's cleanup stops it and checks that nothing is left.
func start(t *testing.T, o options) *env {
	t.Helper()
	e := &env{t: t, path: o.path, media: newFakeMedia()}
	if e.path == "" {
		e.path = filepath.Join(t.TempDir(), "test.db")
	}
	var err error
	if e.db, err = store.Open(e.path); err != nil {
		t.Fatal(err)
	}
	ids := []store.Category{}
	for _, topic := range topics {
		ids = append(ids, topic.ID)
	}
	quiet := slog.New(slog.DiscardHandler)
	if e.matcher, err = matchmaker.New(matchmaker.Config{DB: e.db, Topics: ids, FreeTopics: o.free, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	cfg := signaling.Config{
		DB: e.db, Matcher: e.matcher, NewPeer: e.media.newPeer, Topics: topics, FreeTopics: o.free, Logger: quiet,
		Web: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "web") }),
	}
	if o.config != nil {
		o.config(&cfg)
	}
	if e.srv, err = signaling.New(cfg); err != nil {
		t.Fatal(err)
	}
	e.spec = readSpec(t, served(t, e.srv))
	e.listen(o)
	t.Cleanup(e.stop)
	return e
}

func (e *env) listen(o options) {
	e.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.remote != "" {
			r.RemoteAddr = o.remote
		}
		e.srv.ServeHTTP(w, r)
	}))
	dial := (&net.Dialer{}).DialContext
	if o.pipes {
		l := newPipeListener()
		_ = e.web.Listener.Close()
		e.web.Listener = l
		dial = l.dial
		e.pipes = l
	}
	e.web.Start()
	e.http = &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// stop is the server's orderly end. Whatever the test did, nothing may be left after it.
func (e *env) stop() {
	if e.down {
		return
	}
	e.down = true
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	if e.t.Context().Err() != nil { // in a cleanup the test's own context is over
		ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	}
	defer cancel()
	if err := e.srv.Shutdown(ctx); err != nil {
		e.t.Error(err)
	}
	e.web.Close()
	if err := e.matcher.Close(); err != nil {
		e.t.Error(err)
	}
	opened, closed, rooms, crossed := e.media.counts()
	if opened != closed || rooms != 0 || len(crossed) > 0 {
		e.t.Errorf("media: %d peers opened, %d closed, %d rooms left, crossed %v", opened, closed, rooms, crossed)
	}
	if s, g := e.srv.Stats(), goroutines(); s.Sessions != 0 || s.Connections != 0 || len(g) > 0 {
		e.t.Errorf("left: %+v, goroutines %v", s, g)
	}
	if err := e.db.Check(); err != nil {
		e.t.Error(err)
	}
	if err := e.db.Close(); err != nil {
		e.t.Error(err)
	}
}

// do sends an HTTP request and returns the status and the JSON of the reply.
func (e *env) do(method, path, body string, header ...string) (int, message, *http.Response) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.web.URL+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := e.http.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.spec.checkReply(method, path, resp.StatusCode, resp.Header.Get("Content-Type"), b); err != nil {
		e.t.Errorf("%s %s: %v: %s", method, path, err, b)
	}
	m := message{}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(b, &m); err != nil {
			e.t.Fatalf("%s %s: %q: %v", method, path, b, err)
		}
	}
	return resp.StatusCode, m, resp
}
