package sfu

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs hands Pion's warnings and errors to slog at debug level: strangers
// can cause most of them, so none is news to an operator.
type pionLogs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (f pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{log: f.log, scope: scope}
}

type pionLog struct {
	log   *slog.Logger
	scope string
}

func (l pionLog) emit(text string) {
	l.log.LogAttrs(context.Background(), slog.LevelDebug, text, slog.String("pion", l.scope))
}

func (l pionLog) emitf(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.emit(fmt.Sprintf(format, args...))
	}
}

func (pionLog) Trace(string)                     {}
func (pionLog) Tracef(string, ...any)            {}
func (pionLog) Debug(string)                     {}
func (pionLog) Debugf(string, ...any)            {}
func (pionLog) Info(string)                      {}
func (pionLog) Infof(string, ...any)             {}
func (l pionLog) Warn(text string)               { l.emit(text) }
func (l pionLog) Warnf(format string, a ...any)  { l.emitf(format, a...) }
func (l pionLog) Error(text string)              { l.emit(text) }
func (l pionLog) Errorf(format string, a ...any) { l.emitf(format, a...) }
