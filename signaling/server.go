package signaling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// Peer is one client's media connection, made by [Config.NewPeer]. A session calls Answer and
// Close from goroutines of their own and the rest from its own one, so all may be called at
// the same time.
//
// An error whose Code method returns "sdp_rejected" or "media_failed" reaches the client
// under that code; any other is an internal one.
type Peer interface {
	// Answer takes the client's offer and returns the answer with all candidates. It is called
	// again only for an ICE restart.
	Answer(offer string) (string, error)
	// Join starts forwarding when the second side has joined the room of that name.
	Join(room string) error
	// Leave stops it: no packet read after it returns crosses. Without a room it does nothing.
	Leave()
	// Want says what the client is to be sent, and how much its partner is to send at most, in bit/s; 0 is no wish.
	// At first it wants everything.
	Want(audio, video bool, maxBitrate int)
	// State is "new", "connected", "disconnected" or "failed"; the channel is closed at the next change.
	State() (string, <-chan struct{})
	// Done is closed when the transport is gone for good.
	Done() <-chan struct{}
	// Close frees everything and may be called more than once.
	Close() error
}

// Matcher pairs people. *matchmaker.Matcher is the one for a single server.
type Matcher interface {
	// Find waits for a partner; cancelling ctx leaves the queue. It returns a room or an error, never both.
	Find(ctx context.Context, t matchmaker.Ticket) (*matchmaker.Room, error)
	// Resume gives the room in which the session was before the server restarted.
	Resume(ctx context.Context, s store.SessionID) (*matchmaker.Room, error)
	// Place gives, once, the ticket with which the session waited before the server restarted.
	Place(s store.SessionID) (matchmaker.Ticket, bool)
	// Rejoin is Resume for a room that the session has proven, which the matcher may have lost. Nobody is in it by the
	// partner's proof alone.
	Rejoin(ctx context.Context, room store.Room, self store.SessionID) (*matchmaker.Room, error)
	// Estimate says how long such a ticket waits, if enough was seen lately to say.
	Estimate(t matchmaker.Ticket) (time.Duration, bool)
	// Counts says how many people are on each topic, sorted.
	Counts() []matchmaker.Count
	// Waiting is how many people wait in all.
	Waiting() int
}

var _ Matcher = (*matchmaker.Matcher)(nil)

// Topic is something people can pick to talk about.
type Topic struct {
	ID   store.Category // on the wire and in the matcher
	Name string         // for people; empty means the ID
}

// ICEServer is one TURN server, as in RTCIceServer of the W3C's WebRTC.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Access says who gets in.
type Access string

// Who gets in.
const (
	AccessOpen      Access = "open"       // everybody, with an account or as a guest
	AccessGuestsOff Access = "guests-off" // whoever makes an account
	AccessInvite    Access = "invite"     // whoever makes an account with an invitation
	AccessDomain    Access = "domain"     // whoever makes an account and shows to have an e-mail address of certain domains
)

// Config is what a Server needs. DB, Matcher and NewPeer are required.
type Config struct {
	DB      *store.DB
	Matcher Matcher
	// NewPeer makes the media connection for a client's first offer.
	NewPeer func() (Peer, error)
	// ICEServers are the TURN servers through which a session's client may reach the media, with credentials that
	// are its own. Host is the HOST or HOST:PORT under which the client reached us. Nil means there are none.
	ICEServers func(s store.SessionID, host string) []ICEServer
	// EndICEServers ends the credentials of a session that is over. Nil does nothing.
	EndICEServers func(store.SessionID)
	// Topics are those people can pick, in the order to show.
	Topics []Topic
	// FreeTopics lets people name topics that are not among Topics. The matcher must allow it too.
	FreeTopics bool
	// Web serves everything outside /api. Nil means there is nothing.
	Web http.Handler
	// Origins are web origins ("https://example.org") that may use the API besides our own host. A server on a
	// loopback address that is reached over plain HTTP under another name than localhost needs that one, too.
	Origins []string
	// Access says who gets in; AccessOpen if empty.
	Access Access
	// SendMail gives a mail to the server that delivers it. An error that is ErrMailRefused is for good, after any other
	// it is asked again a few times. Nil means that there is no mail: e-mail addresses are neither shown nor taken then.
	SendMail func(context.Context, Mail) error
	// Place is what mail calls this server, such as its host name; needed with SendMail.
	Place string
	// EmailDomains are those of which people must have an address with AccessDomain, in the form of EmailDomain.
	EmailDomains []string
	// Hashing is the cost of a password's hash.
	Hashing Hashing
	// Grace is how long a lost client keeps its call and place; 30 s if zero.
	Grace time.Duration
	// Ping is how often a silent WebSocket is tried; one that is dead is dropped after two. 10 s if zero.
	Ping time.Duration
	// MaxSessions is how many sessions there may be; no limit if zero.
	MaxSessions int
	Limits      Limits
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
}

// helloWait is how long a new WebSocket may take to say hello.
const helloWait = 5 * time.Second

// Server is the http.Handler for the API and, through Config.Web, for everything else.
// Its methods are safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	echo    *echo.Echo
	csrf    *http.CrossOriginProtection
	signer  *signer
	sealer  *sealer
	words   *vocabulary
	hub     *hub
	voids   *voids
	counts  *countCache
	origins map[string]bool

	gate       *gatekeeper
	proofs     *proofs
	post       *post // nil where there is no mail
	scribe     scribe
	codes      *mailCodes
	mails      *mailLimits
	ceremonies *ceremonies
	people     people
	lobby      *lobby
	keeper     keeper
	described  func() ([]byte, error) // the OpenAPI file

	guests   addrLimiter
	connects addrLimiter
	requests addrLimiter
	signUps  addrLimiter
	asks     *limiter[store.UserID] // friend requests
	rings    *limiter[store.UserID]
	shuns    *limiter[store.UserID] // blocks
	exports  *limiter[store.UserID]
	open     *addrCounter
	foreign  remind // of refused origins

	guestless remind // of guests that could not be stored

	stop chan struct{} // closed by Shutdown; every handshake and session watches it

	mu      sync.Mutex     // guards closing and the first Add to work
	closing bool           // no new WebSocket may begin
	work    sync.WaitGroup // WebSocket handlers and sessions

	stats counters
}

var _ http.Handler = (*Server)(nil)

// New makes a Server. The caller serves it over HTTP and, to stop it, calls Shutdown before it
// closes the matcher, the peers' engine and the database.
func New(cfg Config) (*Server, error) {
	if cfg.DB == nil || cfg.Matcher == nil || cfg.NewPeer == nil {
		return nil, errors.New("signaling: DB, Matcher and NewPeer are required")
	}
	if cfg.Grace <= 0 {
		cfg.Grace = 30 * time.Second
	}
	if cfg.Ping <= 0 {
		cfg.Ping = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Limits = cfg.Limits.withDefaults()
	if err := cfg.checkAccess(); err != nil {
		return nil, err
	}
	sign, err := newSigner(cfg.DB)
	if err != nil {
		return nil, fmt.Errorf("signaling: %w", err)
	}
	seal, err := newSealer(cfg.DB)
	if err != nil {
		return nil, fmt.Errorf("signaling: %w", err)
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, signer: sign, sealer: seal,
		words:   newVocabulary(cfg.Topics, cfg.FreeTopics),
		hub:     newHub(cfg.MaxSessions),
		voids:   newVoids(),
		counts:  &countCache{matcher: cfg.Matcher, topics: cfg.Topics},
		csrf:    http.NewCrossOriginProtection(),
		origins: map[string]bool{},
		gate:    newGatekeeper(cfg.Hashing.withDefaults()),
		proofs:  newProofs(), ceremonies: newCeremonies(),
		scribe: scribe{place: cfg.Place}, codes: newMailCodes(), mails: newMailLimits(cfg.Limits),
		guests:   newAddrLimiter(cfg.Limits.Guests),
		connects: newAddrLimiter(cfg.Limits.Connects),
		requests: newAddrLimiter(cfg.Limits.Requests),
		signUps:  newAddrLimiter(cfg.Limits.SignUps),
		asks:     newLimiter[store.UserID](cfg.Limits.Friends),
		rings:    newLimiter[store.UserID](cfg.Limits.Rings),
		shuns:    newLimiter[store.UserID](cfg.Limits.Blocks),
		exports:  newLimiter[store.UserID](cfg.Limits.Exports),
		open:     newAddrCounter(cfg.Limits.Open),
		stop:     make(chan struct{}),
	}
	for _, origin := range cfg.Origins {
		origin = strings.ToLower(origin) // as browsers send it
		if err := s.csrf.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("signaling: %w", err)
		}
		s.origins[origin] = true
	}
	if cfg.SendMail != nil {
		s.post = newPost(cfg.SendMail, s.log, s.stop, s.spawn)
	}
	s.lobby = newLobby(s.stop, s.spawn, s.keepMissed)
	s.people = s.peopleHooks()
	s.described = sync.OnceValues(s.openAPI)
	s.echo = s.routes()
	return s, nil
}

// checkAccess completes who gets in and refuses what cannot work.
func (c *Config) checkAccess() error {
	switch c.Access {
	case "":
		c.Access = AccessOpen
	case AccessOpen, AccessGuestsOff, AccessInvite:
	case AccessDomain:
		if c.SendMail == nil || len(c.EmailDomains) == 0 {
			return errors.New("signaling: SendMail and EmailDomains are required with AccessDomain")
		}
	default:
		return fmt.Errorf("signaling: there is no access %q", c.Access)
	}
	if c.SendMail != nil && c.Place == "" {
		return errors.New("signaling: Place is required with SendMail")
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") || s.cfg.Web == nil {
		s.echo.ServeHTTP(w, r)
		return
	}
	s.cfg.Web.ServeHTTP(w, r)
}

// Shutdown tells every client to come back soon, closes the WebSockets with 1012 and waits for
// all goroutines, which takes about a second for a client that does not answer. Rooms are left in
// the store, so that the same two people go on talking when the server is back. The error is
// that of ctx if it ends first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("signaling: stop: %w", ctx.Err())
	}
}

// begin counts one WebSocket handler or other work, or says that the server is stopping.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.work.Add(1)
	return true
}

// spawn runs f in a goroutine that Shutdown waits for, unless the server is stopping.
func (s *Server) spawn(f func()) {
	if !s.begin() {
		return
	}
	go func() {
		defer s.work.Done()
		f()
	}()
}

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// counters are the live form of Stats.
type counters struct {
	connections                                        atomic.Int64
	guests, matches, messages, refused, dropped, chats atomic.Uint64
	accounts                                           atomic.Uint64
	matchSent                                          latencies
}

// Stats are counts since the Server was made, except where they say now.
type Stats struct {
	Connections int    // WebSockets open now
	Sessions    int    // sessions now, those in their grace time included
	Guests      uint64 // guests made
	Accounts    uint64 // accounts made
	Matches     uint64 // match messages, two for each call
	Messages    uint64 // messages received
	Refused     uint64 // messages answered with an error
	Dropped     uint64 // clients dropped because they did not read
	Chats       uint64 // chat messages passed on
	Mails       uint64 // mails that the mail server took
	MailsLost   uint64 // mails that it did not take, or for which there was no room

	MatchSent Latencies // from the moment of a match until its message was written, two for each call
}

// Stats returns the counts of this moment.
func (s *Server) Stats() Stats {
	var mails, lost uint64
	if s.post != nil {
		mails, lost = s.post.sent.Load(), s.post.lost.Load()
	}
	return Stats{
		Connections: int(s.stats.connections.Load()),
		Sessions:    s.hub.len(),
		Guests:      s.stats.guests.Load(),
		Accounts:    s.stats.accounts.Load(),
		Matches:     s.stats.matches.Load(),
		Messages:    s.stats.messages.Load(),
		Refused:     s.stats.refused.Load(),
		Dropped:     s.stats.dropped.Load(),
		Chats:       s.stats.chats.Load(),
		Mails:       mails,
		MailsLost:   lost,
		MatchSent:   s.stats.matchSent.read(),
	}
}
