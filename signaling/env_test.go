package signaling_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

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
	pipes   *pipeListener // nil over TCP
}

// options change what start makes.
type options struct {
	path   string // of the database; a new one if empty
	pipes  bool   // in-memory connections, which a synctest bubble needs
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
	if e.matcher, err = matchmaker.New(matchmaker.Config{DB: e.db, Topics: ids, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	cfg := signaling.Config{
		DB: e.db, Matcher: e.matcher, NewPeer: e.media.newPeer, Topics: topics, Logger: quiet,
		Web: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "web") }),
	}
	if o.config != nil {
		o.config(&cfg)
	}
	if e.srv, err = signaling.New(cfg); err != nil {
		t.Fatal(err)
	}
	e.listen(o.pipes)
	t.Cleanup(e.stop)
	return e
}

func (e *env) listen(pipes bool) {
	e.web = httptest.NewUnstartedServer(e.srv)
	dial := (&net.Dialer{}).DialContext
	if pipes {
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
	m := message{}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(b, &m); err != nil {
			e.t.Fatalf("%s %s: %q: %v", method, path, b, err)
		}
	}
	return resp.StatusCode, m, resp
}

// message is a decoded frame; the getters are zero for what is not there.
type message map[string]any

func (m message) str(key string) string { s, _ := m[key].(string); return s }
func (m message) num(key string) int64  { n, _ := m[key].(float64); return int64(n) }
func (m message) sub(key string) message {
	sub, _ := m[key].(map[string]any)
	return sub
}

// client is one WebSocket of a person. Its reader passes on everything that comes.
type client struct {
	t    *testing.T
	e    *env
	ws   *websocket.Conn
	in   chan message
	code websocket.StatusCode // valid when in is closed; -1 without a close frame
	n    int64
	wire *wire // nil over TCP

	name    string
	token   string
	resume  string
	session string
	call    string
	welcome message
	gen     int
}

// dial opens a WebSocket without saying anything.
func (e *env) dial(name string, header ...string) *client {
	e.t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	url := "ws" + strings.TrimPrefix(e.web.URL, "http") + "/api/v1/ws"
	ws, resp, err := websocket.Dial(e.t.Context(), url, &websocket.DialOptions{HTTPClient: e.http, HTTPHeader: h})
	if err != nil {
		e.t.Fatalf("dial: %v (%v)", err, resp)
	}
	ws.SetReadLimit(1 << 20)
	c := &client{t: e.t, e: e, ws: ws, in: make(chan message, 1024), name: name}
	if e.pipes != nil {
		c.wire = e.pipes.last.Load()
	}
	var reading sync.WaitGroup
	reading.Go(c.read)
	e.t.Cleanup(func() {
		_ = ws.CloseNow()
		reading.Wait()
	})
	return c
}

func (c *client) read() {
	defer close(c.in)
	for {
		_, b, err := c.ws.Read(context.Background())
		if err != nil {
			c.code = websocket.CloseStatus(err)
			return
		}
		m := message{}
		if err := json.Unmarshal(b, &m); err != nil {
			c.t.Errorf("server sent %q: %v", b, err)
		}
		c.in <- m
	}
}

// raw sends a frame as it is. A connection that the server has closed is not an error here.
func (c *client) raw(typ websocket.MessageType, b []byte) {
	err := c.ws.Write(context.Background(), typ, b)
	if err != nil && !errors.Is(err, net.ErrClosed) && websocket.CloseStatus(err) == -1 {
		c.t.Logf("%s: write: %v", c.name, err)
	}
}

func (c *client) send(m message) {
	c.t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(websocket.MessageText, b)
}

// hello says hello as a new guest, or with the token and resume token there are.
func (c *client) hello(extra message) message {
	c.t.Helper()
	m := message{"type": "hello", "id": "h", "versions": []int{1}, "client": message{"name": "test", "version": "1", "platform": "go"}}
	switch {
	case c.token != "":
		m["token"] = c.token
	default:
		m["guest"] = message{"name": c.name}
	}
	for k, v := range extra {
		m[k] = v
	}
	c.send(m)
	w := c.want("welcome")
	c.welcome = w
	if token := w.str("token"); token != "" {
		c.token = token
	}
	c.resume, c.session = w.str("resume"), w.str("session")
	return w
}

// join is a new guest with a media connection.
func (e *env) join(name string) *client {
	e.t.Helper()
	c := e.dial(name)
	c.hello(nil)
	c.offer("")
	return c
}

func (c *client) offer(codec string) {
	c.t.Helper()
	c.gen++
	c.send(message{"type": "rtc.offer", "sdp": "offer " + c.name + " " + codec, "gen": c.gen})
	c.want("rtc.answer")
}

func (c *client) find(topics any) {
	c.t.Helper()
	c.send(message{"type": "queue.join", "topics": topics})
}

// met waits for the match and remembers the call.
func (c *client) met() message {
	c.t.Helper()
	m := c.want("match")
	c.call = m.str("call")
	return m
}

// want waits for a message of the type and passes over the ones that come by themselves.
func (c *client) want(typ string) message {
	c.t.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	for {
		select {
		case m, ok := <-c.in:
			if !ok {
				c.t.Fatalf("%s: closed with %d while waiting for %s", c.name, c.code, typ)
			}
			if n := m.num("n"); n <= c.n {
				c.t.Fatalf("%s: n went from %d to %d", c.name, c.n, n)
			}
			c.n = m.num("n")
			if m.str("type") == typ {
				return m
			}
			switch m.str("type") {
			case "queue.state", "peer.state", "rtc.state", "topics", "ok", "pong", "chat.typing":
			default:
				c.t.Fatalf("%s: got %v while waiting for %s", c.name, m, typ)
			}
		case <-timeout.C:
			c.t.Fatalf("%s: no %s came", c.name, typ)
		}
	}
}

// wantError waits for an error with the code.
func (c *client) wantError(code string) message {
	c.t.Helper()
	m := c.want("error")
	if m.str("code") != code || m.str("message") == "" || m.str("retry") == "" {
		c.t.Fatalf("%s: error %v, want code %s", c.name, m, code)
	}
	return m
}

// wantClosed waits for the end of the connection and checks its close code.
func (c *client) wantClosed(code websocket.StatusCode) {
	c.t.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	for {
		select {
		case m, ok := <-c.in:
			if ok {
				if typ := m.str("type"); typ != "drain" && typ != "queue.state" && typ != "peer.state" && typ != "error" {
					c.t.Fatalf("%s: got %v while waiting for the end", c.name, m)
				}
				continue
			}
			if c.code != code {
				c.t.Fatalf("%s: closed with %d, want %d", c.name, c.code, code)
			}
			return
		case <-timeout.C:
			c.t.Fatalf("%s: not closed", c.name)
		}
	}
}

// drop is a network that fails: no closing handshake.
func (c *client) drop() { _ = c.ws.CloseNow() }

// leave is a tab that is closed.
func (c *client) leave() { _ = c.ws.Close(websocket.StatusGoingAway, "") }

// again opens another WebSocket for the same person.
func (c *client) again() *client {
	c.t.Helper()
	next := c.e.dial(c.name)
	next.token, next.gen, next.call = c.token, c.gen, c.call
	return next
}

// resumes opens another WebSocket and resumes the session on it.
func (c *client) resumes() *client {
	c.t.Helper()
	next := c.again()
	next.hello(message{"resume": c.resume})
	return next
}

// pipeListener is a net.Listener without a network.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
	last  atomic.Pointer[wire] // dialled last
}

// wire is a client's end of a connection that can fall silent: nothing arrives any more, and nobody says so.
type wire struct {
	net.Conn
	cut  atomic.Bool
	deaf atomic.Bool // reads nothing, so that the other side cannot write
	once sync.Once
	done chan struct{}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.done) })
	return w.Conn.Close()
}

func (w *wire) Read(p []byte) (int, error) {
	for {
		if w.deaf.Load() {
			<-w.done
			return 0, net.ErrClosed
		}
		n, err := w.Conn.Read(p)
		if err != nil || !w.cut.Load() {
			return n, err
		}
	}
}

func (w *wire) Write(p []byte) (int, error) {
	if w.cut.Load() {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	w := &wire{Conn: mine, done: make(chan struct{})}
	l.last.Store(w)
	select {
	case l.conns <- theirs:
		return w, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener; a name that is loopback for the cookie rules.
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "localhost:80" }
