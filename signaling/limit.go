package signaling

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limit is a token bucket: Burst at once, then one more each Every. The zero value takes the
// default of its place; a negative Burst means no limit.
type Limit struct {
	Burst int
	Every time.Duration
}

// Limits bounds what one client and one address may do. Zero values take the defaults given
// here. An IPv6 address counts as its /64, which is what one customer has; a loopback address has no
// limits. Behind a reverse proxy on this machine the address is the one that it forwards for.
type Limits struct {
	Messages Limit // all messages of a session: 120, then 30 a second
	Offers   Limit // rtc.offer of a session: 6, then one each 5 s
	Queue    Limit // queue.join, queue.widen, call.next and call.undo of a session: 10, then 2 a second
	Chat     Limit // chat of a session: 10, then 5 a second
	Guests   Limit // new guests of an address: 30, then one each 2 s
	Connects Limit // WebSockets opened by an address: 60, then 2 a second
	Requests Limit // HTTP requests of an address, WebSockets and looks at the server's health aside: 300, then 20 a second
	SignUps  Limit // accounts made, and user names looked at for that, of an address: 30, then one a minute
	Friends  Limit // friend requests of a person: 30, then one in 30 minutes
	Rings    Limit // rings of a person: 10, then one in 6 s
	Blocks   Limit // blocks of a person over the WebSocket: 30, then one in 10 s
	Mails    Limit // mails asked for by an address of the network: 10, then one in 2 minutes
	MailGap  Limit // mails to an e-mail address, for each of the three purposes: 1, then one a minute; and
	MailsTo  Limit // 3, then one in 30 minutes
	MailsAll Limit // mails in all, what they tell of changes aside: 150, then one in 24 s, so at most 300 in any hour
	Exports  Limit // exports of a person's data: 5, then one in 10 minutes
	// Open is how many WebSockets an address may have open at once: 200, because whole
	// campuses and mobile networks share one address. Negative means no limit.
	Open int
}

// abuseAfter is how many messages more may be refused than are fine before the client is put out.
const abuseAfter = 200

func (l Limits) withDefaults() Limits {
	l.Messages = l.Messages.or(120, time.Second/30)
	l.Offers = l.Offers.or(6, 5*time.Second)
	l.Queue = l.Queue.or(10, time.Second/2)
	l.Chat = l.Chat.or(10, time.Second/5)
	l.Guests = l.Guests.or(30, 2*time.Second)
	l.Connects = l.Connects.or(60, time.Second/2)
	l.Requests = l.Requests.or(300, time.Second/20)
	l.SignUps = l.SignUps.or(30, time.Minute)
	l.Friends = l.Friends.or(30, 30*time.Minute)
	l.Rings = l.Rings.or(10, 6*time.Second)
	l.Blocks = l.Blocks.or(30, 10*time.Second)
	l.Mails = l.Mails.or(10, 2*time.Minute)
	l.MailGap = l.MailGap.or(1, time.Minute)
	l.MailsTo = l.MailsTo.or(3, 30*time.Minute)
	l.MailsAll = l.MailsAll.or(150, 24*time.Second)
	l.Exports = l.Exports.or(5, 10*time.Minute)
	if l.Open == 0 {
		l.Open = 200
	}
	return l
}

// OfAddresses returns the limits with those of addresses times a factor: more where many people share one. 0 means no
// such limits.
func (l Limits) OfAddresses(factor float64) Limits {
	l = l.withDefaults()
	for _, limit := range []*Limit{&l.Guests, &l.Connects, &l.Requests, &l.SignUps, &l.Mails} {
		if factor <= 0 {
			limit.Burst = -1
		} else if limit.Burst > 0 {
			limit.Burst = max(int(float64(limit.Burst)*factor), 1)
			limit.Every = time.Duration(float64(limit.Every) / factor)
		}
	}
	switch {
	case factor <= 0:
		l.Open = -1
	case l.Open > 0:
		l.Open = max(int(float64(l.Open)*factor), 1)
	}
	return l
}

// Hourly is the limit that allows n in any hour: half of them at once, the others one by one. Fewer than 2 cannot be
// spread so, and are the default.
func Hourly(n int) Limit {
	if n < 2 {
		return Limit{}
	}
	return Limit{Burst: n / 2, Every: 2 * time.Hour / time.Duration(n)}
}

func (l Limit) or(burst int, every time.Duration) Limit {
	if l.Burst == 0 {
		l.Burst = burst
	}
	if l.Every <= 0 {
		l.Every = every
	}
	return l
}

// bucket makes a token bucket, or nil for no limit.
func (l Limit) bucket() *rate.Limiter {
	if l.Burst < 0 {
		return nil
	}
	return rate.NewLimiter(rate.Every(l.Every), l.Burst)
}

// take uses one token of the bucket, or says how long to wait for it.
func take(b *rate.Limiter, now time.Time) *failure {
	if b == nil || b.AllowN(now, 1) {
		return nil
	}
	r := b.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	r.CancelAt(now)
	return rateLimited(wait)
}

// sweepAt is how many addresses a limiter remembers before it forgets those at rest.
const sweepAt = 4096

// limiter keeps one bucket per address or person. Safe for concurrent use.
type limiter[K comparable] struct {
	limit Limit

	mu      sync.Mutex // guards what follows
	buckets map[K]*rate.Limiter
}

func newLimiter[K comparable](limit Limit) *limiter[K] {
	return &limiter[K]{limit: limit, buckets: map[K]*rate.Limiter{}}
}

// take uses one token of the key.
func (l *limiter[K]) take(key K, now time.Time) *failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		if len(l.buckets) >= sweepAt {
			l.sweep(now)
		}
		b = l.limit.bucket()
		l.buckets[key] = b
	}
	return take(b, now)
}

// sweep forgets the keys whose bucket is full again: they are as good as new.
func (l *limiter[K]) sweep(now time.Time) {
	for key, b := range l.buckets {
		if b == nil || b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, key)
		}
	}
}

// addrLimiter is a limiter by address, for all but this machine itself.
type addrLimiter struct{ *limiter[netip.Prefix] }

func newAddrLimiter(limit Limit) addrLimiter { return addrLimiter{newLimiter[netip.Prefix](limit)} }

// take uses one token of the address.
func (l addrLimiter) take(addr netip.Prefix, now time.Time) *failure {
	if !addr.IsValid() {
		return nil
	}
	return l.limiter.take(addr, now)
}

// addrCounter counts what an address has open. Safe for concurrent use.
type addrCounter struct {
	limit int

	mu   sync.Mutex // guards open
	open map[netip.Prefix]int
}

func newAddrCounter(limit int) *addrCounter {
	return &addrCounter{limit: limit, open: map[netip.Prefix]int{}}
}

// add counts one more and says if that is allowed; each true needs one remove.
func (c *addrCounter) add(addr netip.Prefix) bool {
	if !addr.IsValid() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limit >= 0 && c.open[addr] >= c.limit {
		return false
	}
	c.open[addr]++
	return true
}

func (c *addrCounter) remove(addr netip.Prefix) {
	if !addr.IsValid() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[addr]--; c.open[addr] <= 0 {
		delete(c.open, addr)
	}
}

// clientAddr is the address of a request's client as the limits see it. The zero prefix, which has no limits,
// stands for a client on this machine. A connection from this machine that names somebody in X-Forwarded-For
// is a reverse proxy's: then the limits are for the last one named, whom the proxy itself has seen; what
// stands before was the client's to write. Anybody else's X-Forwarded-For is not looked at.
func clientAddr(r *http.Request) netip.Prefix {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr := ap.Addr()
	if addr.Unmap().IsLoopback() {
		chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if addr, err = netip.ParseAddr(strings.TrimSpace(chain[len(chain)-1])); err != nil {
			return netip.Prefix{}
		}
	}
	return limited(addr)
}

// limited is what one customer has: an IPv4 address or an IPv6 /64; nothing for a loopback address.
func limited(addr netip.Addr) netip.Prefix {
	addr, bits := addr.Unmap().WithZone(""), 32
	if addr.IsLoopback() {
		return netip.Prefix{}
	}
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
