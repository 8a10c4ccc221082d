package main

import (
	"io"

	"github.com/pion/logging"
)

// noLogs keeps Pion from printing: what matters is in errors.
func noLogs() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled, ScopeLevels: map[string]logging.LogLevel{}}
}
