package main

import (
	"context"
	"log/slog"
	"time"

	"smalltalk/store"
)

// sweepEvery is how often what has had its time is removed from the database.
const sweepEvery = time.Hour

// sweep removes it, at once and then every hour until ctx is cancelled.
func sweep(ctx context.Context, db *store.DB, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := db.Sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			log.Error("remove what has had its time", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
