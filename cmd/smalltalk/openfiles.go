package main

import "log/slog"

const (
	// fewFiles is a number of open files that a busy server runs out of.
	fewFiles = 4096
	// raiseFiles is what to do about it.
	raiseFiles = "set LimitNOFILE=65536 in the service's unit, or ulimit -n 65536 where it is started"
	// leastHalfOpen is what a limit of open files cannot push maxHalfOpen below.
	leastHalfOpen = 128
)

// fileLimit is how many files this process may have open, 0 if that is not
// known. The Go runtime has raised it to the hard limit, less one, at the start.
func fileLimit() uint64 {
	limit, err := openFiles()
	if err != nil {
		return 0
	}
	return limit
}

// tooFewFiles says whether a limit is one to run out of: each client has a
// WebSocket, and a second connection where media goes over TCP.
func tooFewFiles(limit uint64, clients int) bool {
	return limit > 0 && limit+1 < uint64(max(fewFiles, 2*clients))
}

func warnFewFiles(limit uint64, clients int, log *slog.Logger) {
	if tooFewFiles(limit, clients) {
		log.Warn("few files may be open: each client takes one or two, and once they are used up nobody else can connect",
			"limit", limit, "max-clients", clients, "change", raiseFiles)
	}
}

// halfOpenLimit leaves the connections that are decided most of the files.
func halfOpenLimit(files uint64) int {
	if files == 0 || files/8 >= maxHalfOpen {
		return maxHalfOpen
	}
	return max(int(files/8), leastHalfOpen)
}
