package main

import (
	"context"
	"errors"
	"log/slog"

	"smalltalk/store"
)

// describedContents is how many damaged entries the log describes.
const describedContents = 3

// checkContents looks through the database once and logs what is damaged in it
// and was not seen when it was opened. Nobody is refused for it: most find there
// all that is theirs. It ends early when ctx is cancelled.
func checkContents(ctx context.Context, db *store.DB, log *slog.Logger) {
	err := db.CheckContents(ctx)
	var found *store.Inconsistent
	switch {
	case err == nil, ctx.Err() != nil:
	case errors.Is(err, store.ErrNewerVersion): // what contradicts those entries may be as it should
		log.Error("the database holds entries that only a newer version of Small Talk can read: run that version", "error", err)
	case errors.As(err, &found):
		log.Error("the database is damaged: entries contradict others or cannot be read; stop the server, look at what `smalltalk doctor` says "+
			"of the data folder, and restore the file from a backup", "entries", found.Entries, "first", found.First[:min(len(found.First), describedContents)])
	default:
		log.Error("the database cannot be looked through for damage", "error", err)
	}
}
