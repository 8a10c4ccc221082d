package main

import (
	"context"
	"errors"
	"time"
)

// settleTime is how long after the last handshake memory is looked at.
const settleTime = 3 * time.Second

// idleSample is what clients cost that are connected and have no partner.
type idleSample struct {
	Clients    int   `json:"clients"`
	Before     int64 `json:"rss_before_bytes"`
	After      int64 `json:"rss_after_bytes"`
	PerClient  int64 `json:"rss_per_client_bytes"`
	Goroutines int   `json:"goroutines"`
}

// measureIdle connects clients without a partner, which send nothing but checks.
func measureIdle(ctx context.Context, t target, clients int, place placing) (s idleSample, err error) {
	f, err := open(ctx, t, clients, place)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if s.Before, err = memoryOf(f.rig.pid()); err != nil {
		return s, err
	}
	err = f.connect(ctx, clients, func(ctx context.Context, _ int) ([]user, error) {
		u, err := f.rig.alone(ctx)

		return []user{u}, err
	})
	if err != nil {
		return s, err
	}
	if err := sleep(ctx, settleTime); err != nil {
		return s, err
	}
	if s.After, err = memoryOf(f.rig.pid()); err != nil {
		return s, err
	}
	report, err := f.rig.heap()
	if err != nil {
		return s, err
	}
	s.Clients, s.PerClient = clients, (s.After-s.Before)/int64(clients)
	if report != nil {
		s.Goroutines = report.Goroutines
	}

	return s, nil
}
