package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"smalltalk/matchmaker"
	"smalltalk/sfu"
	"smalltalk/signaling"
	"smalltalk/store"
	"smalltalk/web"
)

// Stopping takes at most stopTime in all; a client that does not take its
// goodbye within goodbyeTime does not hold up the rest.
const (
	goodbyeTime = 2 * time.Second
	stopTime    = 4 * time.Second
)

// requestTime is what a client on a slow line may take for a request or its
// answer, of which the largest is some 30 kB.
const requestTime = time.Minute

// server is the wired program. Its fields are in the order in which they are
// opened; Close goes the other way.
type server struct {
	log     *slog.Logger
	db      *store.DB
	matcher *matchmaker.Matcher
	relay   *sfu.Engine
	signal  *signaling.Server
	conns   *httpConns // of http
	http    *http.Server
	gate    *gate        // nil where the caller of run has listeners of its own
	admin   *adminSocket // nil as gate, and where there can be none
}

// serve runs the server until ctx is cancelled, and stops it in order.
func serve(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	log := newLogger(s, stderr)
	for _, name := range s.strays {
		log.Warn("no such setting: this environment variable is ignored; smalltalk --help lists those that there are", "variable", name)
	}
	warnFewFiles(fileLimit(), s.MaxClients, log)
	socks, err := openSockets(ctx, s, log)
	if err != nil {
		return err
	}
	gate, err := newGate(s, socks, log)
	if err != nil {
		socks.close()
		return err
	}
	offer := findPublic(ctx, s, socks, log)
	if err := socks.share(ctx, mediaWorkers(s.MediaPlane), log); err != nil {
		gate.close()
		socks.close()
		return err
	}
	media := gate.media(socks)
	if len(offer.public) > 0 {
		media.PublicAddresses = offer.addresses(socks.mediaAddresses())
	}
	srv, err := newServer(s, media, log)
	if err != nil {
		socks.close() // twice for some, which does no harm
		return err
	}
	srv.gate = gate
	srv.openAdmin(s.Data)
	logWaysIn(socks, offer, log)
	fmt.Fprintln(stdout, invitation(ctx, address(s, socks.httpPort()), gate.certs))
	return srv.run(ctx, []net.Listener{gate.http})
}

// logWaysIn says where clients are told to connect to.
func logWaysIn(socks sockets, offer offered, log *slog.Logger) {
	udp, tcp := offer.addresses(socks.mediaAddresses()), offer.addresses(socks.tcpAddresses())
	if len(socks.tcpAddresses()) == 0 {
		tcp = nil
	}
	log.Info("media", "port", socks.mediaPort(), "udp", udp, "tcp", tcp)
	if ignoredByChromium(udp, socks.mediaPort()) {
		log.Warn("all addresses for media are private and the port is below 1024: Chromium ignores such addresses without a word; "+
			"use a port of 1024 or more (--media-listen), or give --public-address", "port", socks.mediaPort())
	}
}

func newLogger(s settings, stderr io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(stderr, opts))
	}
	return slog.New(slog.NewTextHandler(stderr, opts))
}

// invitation is the line that says where to go, and when.
func invitation(ctx context.Context, url string, certs certificates) string {
	if a, ok := certs.(*acmeCerts); ok && !a.stored(ctx, time.Now()) {
		return fmt.Sprintf("Small Talk is fetching its certificate: open %s when the log says \"certificate ready\"", url)
	}
	return "Small Talk is ready: open " + url
}

// address is the address to open in a browser: of the domain or the certificate,
// else on this machine.
func address(s settings, port int) string {
	host, _, _ := net.SplitHostPort(s.Listen)
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	if len(s.Domain) > 0 || host == "localhost" && s.Cert != "" {
		host = certificateName(s, host)
	}
	switch {
	case !s.encrypted():
		return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
	case port == 443 && !strings.Contains(host, ":"):
		return "https://" + host
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// newServer opens the database and wires the parts. media says where the relay
// receives; its sockets are the server's whether this succeeds or not.
func newServer(s settings, media sfu.Config, log *slog.Logger) (_ *server, err error) {
	srv := &server{log: log}
	defer func() {
		if err != nil {
			_ = srv.closeParts() // err says more
		}
	}()
	if srv.db, err = openStore(s.Data); err != nil {
		return nil, err
	}
	categories := make([]store.Category, len(s.topics))
	for i, t := range s.topics {
		categories[i] = t.ID
	}
	srv.matcher, err = matchmaker.New(matchmaker.Config{DB: srv.db, Topics: categories, FreeTopics: s.FreeTopics, RecentAfter: s.MeetAgain, Grace: s.Grace, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("start matching: %w", err)
	}
	media.MediaPlane, media.MaxBitrate, media.Logger = s.MediaPlane, s.MaxBitrate*1000, log
	if srv.relay, err = sfu.New(media); err != nil {
		return nil, fmt.Errorf("start the relay: %w", err)
	}
	relay := srv.relay
	srv.signal, err = signaling.New(signaling.Config{
		DB: srv.db, Matcher: srv.matcher, Web: web.Handler(), Logger: log,
		NewPeer: func() (signaling.Peer, error) {
			p, err := relay.NewPeer()
			if err != nil {
				return nil, err // not a nil *sfu.Peer inside an interface
			}
			return p, nil
		},
		ICEServers: iceServers(relay, media.TCPPort), EndICEServers: func(id store.SessionID) { relay.RevokeTURN(string(id)) },
		Topics: s.topics, FreeTopics: s.FreeTopics, Origins: s.Origin, Access: signaling.Access(s.Access), Hashing: s.hashing(), Limits: s.limits(), Grace: s.Grace, MaxSessions: s.MaxClients,
		SendMail: s.sender(), Place: s.place(), EmailDomains: s.EmailDomains,
	})
	if err != nil {
		return nil, fmt.Errorf("start signaling: %w", err)
	}
	srv.serveHTTP(s)
	return srv, nil
}

// serveHTTP wires net/http. A connection is bounded in time here, and in number
// by httpConns.
func (s *server) serveHTTP(c settings) {
	total, raise := httpTotal(fileLimit(), c.MaxClients)
	s.conns = newHTTPConns(httpLimits{Total: total, Raise: raise, Proxies: c.proxies, Logger: s.log})
	s.http = &http.Server{
		Handler: s.conns.watch(&front{next: s.signal, proxies: c.proxies, hsts: len(c.Domain) > 0, log: s.log}),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return s.conns.admit(markEncrypted(ctx, conn), conn)
		},
		ConnState:         s.conns.state,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       requestTime, // a WebSocket is past these two
		WriteTimeout:      requestTime,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// inUse says that another process has the database open. It is store.ErrLocked.
type inUse struct{ path string }

func (e inUse) Error() string {
	return fmt.Sprintf("database %s is in use: is another Small Talk running on this data folder? Stop it, or choose another folder with --data", e.path)
}

func (inUse) Unwrap() error { return store.ErrLocked }

// openStore opens the database in the data folder and says what to do when it
// cannot.
func openStore(folder string) (*store.DB, error) {
	switch err := os.MkdirAll(folder, 0o700); {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("data folder: %w: there is a file of that name, so choose another folder with --data", err)
	case err != nil:
		return nil, fmt.Errorf("data folder: %w: make it writable for this user, or choose another with --data", err)
	}
	path := filepath.Join(folder, "smalltalk.db")
	db, err := store.Open(path)
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, inUse{path}
	case errors.Is(err, store.ErrDamaged):
		return nil, fmt.Errorf("%w: restore it from a backup, or move the file away to begin with an empty one", err)
	case errors.Is(err, store.ErrNewerVersion):
		return nil, fmt.Errorf("%w: run the newer version of Small Talk that wrote it", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return nil, fmt.Errorf("%w: make space on that disk, or choose another folder with --data", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data folder: %w: make it writable for this user, or choose another with --data", err)
	case err != nil:
		return nil, fmt.Errorf("%w: see to it, or choose another folder with --data", err)
	}
	return db, nil
}

// turnTime is how long a client may begin to use TURN with the credentials of a
// session. They end with the session and with this process, and a client is
// given new ones only when it connects again, so they must outlast a session.
const turnTime = 30 * 24 * time.Hour

// iceServers gives each session its own way in by TURN over TLS, which is on
// the same host as everything else, on the TCP port of media.
func iceServers(relay *sfu.Engine, port uint16) func(store.SessionID, string) []signaling.ICEServer {
	return func(id store.SessionID, host string) []signaling.ICEServer {
		user, pass := relay.TURNCredentials(string(id), turnTime)
		if user == "" {
			return []signaling.ICEServer{}
		}
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		url := "turns:" + net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(int(port))) + "?transport=tcp"
		return []signaling.ICEServer{{URLs: []string{url}, Username: user, Credential: pass}}
	}
}

func anyLoopback(conns []net.PacketConn) bool {
	for _, c := range conns {
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok && a.IP.IsLoopback() {
			return true
		}
	}
	return false
}

// run serves until ctx is cancelled or a listener fails, then stops the parts:
// first people are told, then the ports close, then media ends, then matching,
// then the database.
func (s *server) run(ctx context.Context, listeners []net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.gate != nil {
		group.Go(func() error {
			s.gate.run(ctx)
			return nil
		})
	}
	if s.admin != nil {
		group.Go(func() error {
			s.admin.serve(ctx)
			return nil
		})
	}
	for _, l := range listeners {
		group.Go(func() error {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		sweep(ctx, s.db, s.log)
		return nil
	})
	group.Go(func() error {
		checkContents(ctx, s.db, s.log)
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		s.log.Info("stopping")
		return s.stop(context.WithoutCancel(ctx))
	})
	return group.Wait()
}

// stop ends everything within stopTime. It returns what went wrong with data
// that must be kept; a client that would not say goodbye is no error.
func (s *server) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	if err := s.signal.Shutdown(ctx); err != nil {
		s.log.Warn("some clients did not take their goodbye", "error", err)
	}
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
	}
	s.log.Info("HTTP ended", "connections", fmt.Sprintf("%+v", s.conns.stats()))
	closed := make(chan error, 1)
	go func() {
		if s.gate != nil {
			s.gate.close()
		}
		closed <- s.closeParts()
	}()
	select {
	case err := <-closed:
		return err
	case <-time.After(stopTime - goodbyeTime):
		return errors.New("the server did not stop in time: what was not yet written to the database is lost")
	}
}

// closeParts closes what newServer opened, the database last.
func (s *server) closeParts() error {
	var errs []error
	if s.relay != nil {
		errs = append(errs, s.relay.Close())
		plane := s.relay.Stats().Plane
		s.log.Info("media ended", "fast", plane.ServedFast, "pion", plane.ServedPion, "fallen_back", plane.FallenBack, "pion_media", plane.PionMedia)
	}
	if s.matcher != nil {
		errs = append(errs, s.matcher.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}
