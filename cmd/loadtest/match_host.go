package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/signaling"
	"smalltalk/store"
)

// matchKind is the kind of host that is a whole server but for media: database, matching and signaling, over HTTP.
const matchKind = "match"

// matchOrder is a line to it.
type matchOrder struct {
	Begin bool `json:"begin,omitempty"` // count from here on; else a report is wanted
}

// matchReply is the line back.
type matchReply struct {
	URL    string       `json:"url,omitempty"` // in the first line, before any order
	Report *matchInside `json:"report,omitempty"`
}

// matchInside is what only the server itself knows of the time since the order to begin.
type matchInside struct {
	Matches    uint64      `json:"matches"`
	Messages   uint64      `json:"messages_received"`
	Refused    uint64      `json:"messages_refused"`
	Dropped    uint64      `json:"clients_dropped"`
	Sent       insideTimes `json:"match_to_written"`
	Waiting    int         `json:"waiting"`  // at the end
	Sessions   int         `json:"sessions"` // at the end
	Writes     uint64      `json:"database_writes"`
	GCs        uint32      `json:"gcs"`
	Goroutines int         `json:"goroutines"`
}

// insideTimes are quantiles in microseconds, each at most an eighth too much.
type insideTimes struct {
	N    uint64  `json:"n"`
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p99_9_us"`
	Max  float64 `json:"max_us"`
}

func insideOf(l signaling.Latencies) insideTimes {
	us := func(q float64) float64 { return float64(l.Quantile(q)) / float64(time.Microsecond) }

	return insideTimes{N: l.Count, P50: us(0.5), P99: us(0.99), P999: us(0.999), Max: us(1)}
}

// matchServer is the server and all that it stands on.
type matchServer struct {
	folder  string
	db      *store.DB
	matcher *matchmaker.Matcher
	signal  *signaling.Server
	http    *http.Server
	serving chan error
	url     string

	began  signaling.Stats
	kept   matchmaker.Stats
	cycles uint32
}

// errNoMedia answers clients that offer media to a server without any.
var errNoMedia = errors.New("this server has no media")

func startMatchServer(ctx context.Context) (_ *matchServer, err error) {
	s := &matchServer{serving: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.folder, err = os.MkdirTemp("", "loadtest-match-"); err != nil {
		return nil, err
	}
	if s.db, err = store.Open(filepath.Join(s.folder, "smalltalk.db")); err != nil {
		return nil, err
	}
	topics := make([]signaling.Topic, churnTopics)
	categories := make([]store.Category, churnTopics)
	for i := range topics {
		categories[i] = store.Category(churnTopic(i))
		topics[i] = signaling.Topic{ID: categories[i]}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if s.matcher, err = matchmaker.New(matchmaker.Config{DB: s.db, Topics: categories, Logger: log}); err != nil {
		return nil, err
	}
	s.signal, err = signaling.New(signaling.Config{
		DB: s.db, Matcher: s.matcher, Topics: topics, Logger: log,
		NewPeer: func() (signaling.Peer, error) { return nil, errNoMedia },
	})
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: s.signal, ReadHeaderTimeout: enterTime}
	go func() { s.serving <- s.http.Serve(l) }()

	return s, nil
}

// close stops the server in the order of a real one's end.
func (s *matchServer) close() (err error) {
	if s.signal != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		err = s.signal.Shutdown(ctx)
	}
	if s.http != nil {
		err = errors.Join(err, s.http.Close())
		if served := <-s.serving; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	if s.matcher != nil {
		err = errors.Join(err, s.matcher.Close())
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.folder != "" {
		err = errors.Join(err, os.RemoveAll(s.folder))
	}

	return err
}

// closeTime is how long the server may take to say goodbye to all its clients.
const closeTime = 20 * time.Second

// begin counts from here on.
func (s *matchServer) begin() {
	s.began, s.kept = s.signal.Stats(), s.matcher.Stats()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.cycles = m.NumGC
}

func (s *matchServer) report() *matchInside {
	now, kept := s.signal.Stats(), s.matcher.Stats()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return &matchInside{
		Matches: kept.Matches - s.kept.Matches, Messages: now.Messages - s.began.Messages,
		Refused: now.Refused - s.began.Refused, Dropped: now.Dropped - s.began.Dropped,
		Sent:    insideOf(now.MatchSent.Since(s.began.MatchSent)),
		Waiting: kept.Waiting, Sessions: now.Sessions, Writes: kept.Writes - s.kept.Writes,
		GCs: m.NumGC - s.cycles, Goroutines: runtime.NumGoroutine(),
	}
}

// runMatchHost serves until in ends.
func runMatchHost(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	raiseFiles()
	s, err := startMatchServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	orders, replies := json.NewDecoder(in), json.NewEncoder(out)
	if err := replies.Encode(matchReply{URL: s.url}); err != nil {
		return err
	}
	for {
		var o matchOrder
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		var r matchReply
		if o.Begin {
			s.begin()
		} else {
			r.Report = s.report()
		}
		if err := replies.Encode(r); err != nil {
			return err
		}
	}
}
