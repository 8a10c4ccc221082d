package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"smalltalk/store"
)

// answering is who has the server's port on this machine.
type answering int

const (
	nobody answering = iota
	ourServer
	another // a program that is no Small Talk
)

// whoAnswers tells our server from another program that has its port. Before
// there is a certificate ours answers nothing but requests in the clear, which
// it sends to https; web servers take those for mistakes.
func (d *doctor) whoAnswers(ctx context.Context, client *http.Client) answering {
	_, err := within(ctx, d.limit, func(ctx context.Context) (time.Time, error) {
		date, _, err := ask(ctx, client, d.target.String()+"/api/v1/healthz")
		return date, err
	})
	if err == nil {
		return ourServer
	}
	if d.target.encrypted() {
		answer, err := within(ctx, d.limit, d.askPlain)
		if err == nil && answer.code == http.StatusPermanentRedirect && strings.HasPrefix(answer.location, "https://") {
			return ourServer
		}
	}
	return another
}

// checkMachine looks at the machine that the doctor runs on, with the settings
// of its server. who is what has the server's port.
func (d *doctor) checkMachine(ctx context.Context, who answering) {
	for _, name := range d.settings.strays {
		d.tell(finding{Verdict: isWarning, What: "settings", Detail: "the environment variable " + name + " is no setting, so it is ignored",
			Change: "if it is misspelt, correct it: smalltalk --help lists those that there are"})
	}
	d.checkOpenFiles()
	d.tell(checkData(ctx, d.settings.Data, who == ourServer))
	d.checkSpace()
	d.checkMail(ctx)
	d.tell(d.judgeServer(who))
	open := d.spareSockets
	if who == nobody {
		open = d.ownSockets
	}
	socks, ok := open(ctx)
	if !ok {
		return
	}
	defer socks.close()
	d.checkBuffers(socks.media[0])
	d.checkPublicAddress(ctx, socks, who == nobody)
	d.checkClock(ctx)
}

// judgeServer says what it means who has the server's port.
func (d *doctor) judgeServer(who answering) finding {
	listen := d.settings.Listen
	f := finding{Verdict: isFine, What: "server", Detail: "it runs on " + listen}
	switch {
	case who == another:
		f.Verdict, f.Detail = isFailure, "what answers on "+listen+" is no Small Talk server"
		f.Change = fmt.Sprintf("port %d belongs to another program: see `ss -ltnp`, and stop that one or choose another port with --listen", d.target.port())
	case who == nobody && !d.settings.given:
		f.Verdict, f.Detail = isFailure, "nothing answers on "+listen+", which is where a server without any settings is"
		f.Change = "give the doctor the settings of the server, for example: smalltalk doctor --config /etc/smalltalk.toml; or its address, or start it"
	case who == nobody:
		f.Verdict, f.Detail = isWarning, "nothing answers on "+listen+": it is not running, or not with these settings"
		f.Change = "start it, or give the doctor the settings of the service; the ways in can only be tried while it runs"
	}
	return f
}

// ownSockets opens the sockets that the server would.
func (d *doctor) ownSockets(ctx context.Context) (sockets, bool) {
	socks, err := openSockets(ctx, d.settings, slog.New(slog.DiscardHandler))
	if err != nil {
		d.tell(finding{Verdict: isFailure, What: "ports", Detail: "the server would not start", Change: err.Error()})
		return sockets{}, false
	}
	d.tell(finding{Verdict: isFine, What: "ports", Detail: fmt.Sprintf("free: TCP %d, and UDP %d on %d addresses", socks.httpPort(), socks.mediaPort(), len(socks.media))})
	return socks, true
}

// spareSockets opens sockets beside those of a running program: on the same
// addresses, on other ports.
func (d *doctor) spareSockets(ctx context.Context) (sockets, bool) {
	host := ""
	if d.settings.MediaListen != "" {
		host, _, _ = net.SplitHostPort(d.settings.MediaListen) // checked with the settings
	}
	listenHost, _, _ := net.SplitHostPort(d.settings.Listen) // likewise
	loopback := loopbackHost(listenHost) && len(d.settings.proxies) == 0
	media, err := listenMedia(ctx, net.JoinHostPort(host, "0"), loopback, slog.New(slog.DiscardHandler))
	if err != nil {
		d.tell(finding{Verdict: isFailure, What: "addresses", Detail: err.Error(), Change: "look at --media-listen"})
		return sockets{}, false
	}
	return sockets{media: media}, true
}

func (d *doctor) checkOpenFiles() {
	limit, err := openFiles()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
	case err != nil:
		d.tell(finding{Verdict: isWarning, What: "open files", Detail: err.Error(), Change: "look at the limit yourself: ulimit -n"})
	case tooFewFiles(limit, d.settings.MaxClients):
		d.tell(finding{Verdict: isWarning, What: "open files", Detail: fmt.Sprintf("at most %d here", limit),
			Change: raiseFiles + ": each client takes one or two"})
	default:
		d.tell(finding{Verdict: isFine, What: "open files", Detail: fmt.Sprintf("at most %d here", limit)})
	}
}

// checkData looks at the data folder, and leaves nothing in it: what this user
// makes the server's user may not be able to open.
func checkData(ctx context.Context, folder string, running bool) finding {
	f := finding{Verdict: isFailure, What: "data folder", Change: "make it writable for the user of the server, or choose another with --data"}
	probe, err := os.CreateTemp(folder, ".doctor-*")
	if errors.Is(err, fs.ErrNotExist) {
		return finding{Verdict: isFine, What: "data folder", Detail: folder + " is not there yet: it is made at the first start"}
	}
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	_ = probe.Close() // nothing was written
	if err := os.Remove(probe.Name()); err != nil {
		f.Detail = err.Error()
		return f
	}
	path := filepath.Join(folder, "smalltalk.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return finding{Verdict: isFine, What: "data folder", Detail: folder + " is writable; no database yet"}
	}
	ctx, cancel := context.WithTimeout(ctx, contentsTime)
	defer cancel()
	version, err := store.Examine(ctx, path) // which leaves an upgrade to the server
	var inconsistent *store.Inconsistent
	switch {
	case errors.Is(err, store.ErrLocked) && running:
		return finding{Verdict: isFine, What: "data folder", Detail: path + " is in use by the running server"}
	case errors.Is(err, store.ErrLocked):
		f.Verdict, f.Detail = isWarning, path+" is in use by another program"
		f.Change = "is another Small Talk running on this data folder? Stop it, or choose another folder with --data"
	case errors.Is(err, store.ErrNewerVersion):
		f.Detail, f.Change = err.Error(), "run the newer version of Small Talk that wrote it"
	case errors.As(err, &inconsistent):
		f.Detail, f.Change = err.Error(), "restore it from a backup; the server starts with it, but not everybody finds there what was theirs"
	case errors.Is(err, store.ErrDamaged):
		f.Detail, f.Change = err.Error(), "restore it from a backup, or move the file away to begin with an empty one"
	case errors.Is(err, context.DeadlineExceeded):
		f.Verdict, f.Detail = isWarning, path+" opens, but was not looked through to the end: it is big, or the disk is slow"
		f.Change = "start the server: it looks through the file beside its work, and its log tells if anything in it is damaged"
	case errors.Is(err, context.Canceled):
		f.Verdict, f.Detail = isWarning, path+" opens, but was not looked through to the end: the doctor was interrupted"
		f.Change = "run the doctor again"
	case err != nil:
		f.Detail = err.Error()
	case store.NeedsUpgrade(version):
		return finding{Verdict: isFine, What: "data folder",
			Detail: fmt.Sprintf("%s opens; the next start upgrades it and keeps a copy in %s.v%d", path, path, version)}
	default:
		return finding{Verdict: isFine, What: "data folder", Detail: path + " opens"}
	}
	return f
}

// littleSpace is how much of the disk should be free: the database grows by a
// few hundred bytes for each guest.
const littleSpace = 256 << 20

// checkSpace looks at how much space the data folder has.
func (d *doctor) checkSpace() {
	free, err := freeSpace(d.settings.Data)
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrNotExist):
	case err != nil:
		d.tell(finding{Verdict: isWarning, What: "free space", Detail: err.Error(), Change: "look at the disk of the data folder yourself: df"})
	default:
		d.tell(judgeSpace(d.settings.Data, free))
	}
}

// judgeSpace says whether so many free bytes will do.
func judgeSpace(folder string, free uint64) finding {
	f := finding{Verdict: isFine, What: "free space", Detail: fmt.Sprintf("%d MiB on the disk of %s", free>>20, folder)}
	if free < littleSpace {
		f.Verdict = isWarning
		f.Change = "make space: on a full disk calls and matching go on, but nobody new is let in, and a crash forgets who is with whom"
	}
	return f
}

// checkBuffers looks at what the kernel gave of the buffers that were asked for.
func (d *doctor) checkBuffers(c net.PacketConn) {
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return
	}
	read, write, err := bufferSizes(udp)
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if err != nil {
		d.tell(finding{Verdict: isWarning, What: "UDP buffers", Detail: err.Error(), Change: "look at net.core.rmem_max and net.core.wmem_max yourself"})
		return
	}
	d.tell(judgeBuffers(read, write))
}

func judgeBuffers(read, write int) finding {
	const kib = 1 << 10
	f := finding{Verdict: isFine, What: "UDP buffers",
		Detail: fmt.Sprintf("asked for %d KiB, got %d to receive and %d to send", socketBuffer/kib, read/kib, write/kib)}
	if read < socketBuffer || write < socketBuffer {
		f.Verdict = isWarning
		f.Change = fmt.Sprintf("sysctl -w net.core.rmem_max=%d net.core.wmem_max=%d (and in /etc/sysctl.d to keep it): bursts of video are lost otherwise on a busy server", socketBuffer, socketBuffer)
	}
	return f
}

// checkPublicAddress compares what clients are told with what STUN servers see.
// ownPort says that the sockets have the port of media, which a NAT should keep.
func (d *doctor) checkPublicAddress(ctx context.Context, socks sockets, ownPort bool) {
	const what = "public address"
	if len(d.settings.STUN) == 0 {
		d.tell(finding{Verdict: isFine, What: what, Detail: "nobody asked: --stun off"})
		return
	}
	listenHost, _, _ := net.SplitHostPort(d.settings.Listen) // checked with the settings
	if loopbackHost(listenHost) && len(d.settings.proxies) == 0 {
		d.tell(finding{Verdict: isFine, What: what, Detail: "nobody asked: the server is for this machine only"})
		return
	}
	ask := slices.DeleteFunc(slices.Clone(socks.media), func(c net.PacketConn) bool { return udpAddr(c).Addr().IsLoopback() })
	seen, _ := within(ctx, d.limit, func(ctx context.Context) ([]mapping, error) {
		return askSTUN(ctx, ask, d.settings.STUN, stunWait), nil
	})
	if len(seen) == 0 {
		f := finding{Verdict: isWarning, What: what, Detail: "no STUN server answered: " + strings.Join(d.settings.STUN, " "),
			Change: "let UDP out to them, choose others with --stun, or none with --stun off"}
		if lonely := lonelyPrivate(socks.mediaAddresses()); len(lonely) > 0 && len(d.settings.public) == 0 {
			f.Change += "; this machine has only private addresses, so give --public-address"
		}
		d.tell(f)
		return
	}
	for _, m := range seen {
		d.tell(judgeMapping(m, d.settings.public, ownPort))
	}
}

// judgeMapping compares what a STUN server saw of a socket with what clients are
// told of it. public is that of the settings.
func judgeMapping(m mapping, public []netip.Addr, ownPort bool) finding {
	own, seen := m.socket.Addr(), m.public.Addr()
	f := finding{Verdict: isFine, What: "public address", Detail: fmt.Sprintf("%s is seen as %s by %s", own, seen, m.server)}
	sameFamily := slices.DeleteFunc(slices.Clone(public), func(ip netip.Addr) bool { return ip.Is4() != own.Is4() })
	switch {
	case len(sameFamily) > 0 && !slices.Contains(sameFamily, seen):
		f.Verdict = isWarning
		f.Change = fmt.Sprintf("clients are told %s by --public-address: is that right? If not, give %s", sameFamily[0], seen)
	case len(sameFamily) == 0 && seen != own && !private(own):
		f.Verdict = isWarning
		f.Change = "if clients reach this machine under " + seen.String() + ", give it with --public-address"
	case ownPort && seen != own && m.public.Port() != m.socket.Port():
		f.Verdict = isWarning
		f.Detail += fmt.Sprintf(", with port %d instead of %d", m.public.Port(), m.socket.Port())
		f.Change = fmt.Sprintf("forward port %d of the NAT in front to this machine, over UDP and TCP", m.socket.Port())
	}
	return f
}

// checkClock compares this machine's clock with that of the ACME server, which
// it talks to anyway. Without one nobody is asked.
func (d *doctor) checkClock(ctx context.Context) {
	if len(d.settings.Domain) == 0 {
		return
	}
	roots, err := trustedRoots(d.settings.ACMECA)
	if err != nil {
		d.tell(finding{Verdict: isFailure, What: "ACME", Detail: err.Error(), Change: "look at --acme-ca"})
		return
	}
	ahead, err := within(ctx, d.limit, func(ctx context.Context) (time.Duration, error) {
		return aheadOf(ctx, d.settings.acmeURL(), roots)
	})
	if err != nil {
		d.tell(finding{Verdict: isFailure, What: "ACME", Detail: err.Error(), Change: "let HTTPS out to " + d.settings.acmeURL() + ": certificates come from there"})
		return
	}
	d.tell(finding{Verdict: isFine, What: "ACME", Detail: d.settings.acmeURL() + " answers"})
	d.tell(judgeClock(-ahead))
}

// aheadOf says how far this machine's clock is ahead of that of a web server.
func aheadOf(ctx context.Context, url string, roots *x509.CertPool) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	defer client.CloseIdleConnections()
	start := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close() // only its head matters
	now := start.Add(time.Since(start) / 2)
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, nil // it does not say: nothing to compare with
	}
	return now.Sub(date), nil
}
