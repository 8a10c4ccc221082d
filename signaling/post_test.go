package signaling

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// office is a post whose mail server does as the test says.
type office struct {
	*post
	stop chan struct{}
	work sync.WaitGroup
	log  bytes.Buffer // not to be read while the post works

	mu    sync.Mutex // guards what follows
	tried []string   // "to@seconds since the start"
	begun time.Time
	take  func(m Mail, try int) error
	tries map[string]int
}

func newOffice(take func(m Mail, try int) error) *office {
	o := &office{stop: make(chan struct{}), begun: time.Now(), take: take, tries: map[string]int{}}
	o.post = newPost(o.send, slog.New(slog.NewTextHandler(&o.log, nil)), o.stop, func(f func()) { o.work.Go(f) })
	return o
}

func (o *office) send(ctx context.Context, m Mail) error {
	o.mu.Lock()
	o.tries[m.To]++
	try := o.tries[m.To]
	o.tried = append(o.tried, fmt.Sprintf("%s@%d", m.To, int(time.Since(o.begun).Seconds())))
	o.mu.Unlock()
	if m.Text == "slow" {
		<-ctx.Done()
		return ctx.Err()
	}
	return o.take(m, try)
}

func (o *office) post1(to, text string) bool {
	return o.add(&letter{write: func(time.Time) (Mail, bool, error) { return Mail{To: to, Text: text}, true, nil }})
}

// attempts are those to send so far.
func (o *office) attempts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.tried)
}

// after lets time go by, and then the post have done what it has to do.
func (*office) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (o *office) end() { close(o.stop); o.work.Wait() }

// TestPostTriesAgain: what the mail server does not take now it is given again a few times, while others go on; what it
// refuses is not.
func TestPostTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(func(m Mail, try int) error {
			switch {
			case m.To == "refused":
				return fmt.Errorf("550 no such user: %w", ErrMailRefused)
			case m.To == "never" || m.To == "third" && try < 3:
				return errors.New("451 try later")
			}
			return nil
		})
		for _, to := range []string{"never", "third", "refused", "fine"} {
			o.post1(to, "")
		}
		o.after(time.Hour)
		want := []string{"never@0", "third@0", "refused@0", "fine@0", "never@5", "third@5", "never@35", "third@35", "never@155"}
		if !slices.Equal(o.attempts(), want) {
			t.Errorf("tried %v, want %v", o.attempts(), want)
		}
		if sent, lost := o.sent.Load(), o.lost.Load(); sent != 2 || lost != 2 {
			t.Errorf("sent %d, lost %d", sent, lost)
		}
		o.post1("later", "") // by another goroutine, since there was nothing to do
		synctest.Wait()
		if o.sent.Load() != 3 {
			t.Error("nothing is sent any more")
		}
		o.end()
	})
}

// TestPostHangs: a mail server that does not answer holds up the others for half a minute, and a stop for no time.
func TestPostHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(func(Mail, int) error { return nil })
		o.post1("hangs", "slow")
		synctest.Wait()
		o.post1("next", "")
		o.after(31 * time.Second)
		if want := []string{"hangs@0", "next@30"}; !slices.Equal(o.attempts(), want) {
			t.Errorf("tried %v, want %v", o.attempts(), want)
		}
		time.Sleep(6 * time.Second) // at the second attempt
		before := time.Now()
		o.end()
		if wait := time.Since(before); wait != 0 {
			t.Errorf("the stop has taken %v", wait)
		}
	})
}

// TestPostIsBounded: what is too much is refused and counted.
func TestPostIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(func(Mail, int) error { return nil })
		o.post1("hangs", "slow")
		synctest.Wait()
		for i := range maxPost + 10 {
			if got, want := o.post1(fmt.Sprint(i), ""), i < maxPost; got != want {
				t.Fatalf("letter %d is taken: %v", i, got)
			}
		}
		o.after(time.Minute)
		if sent, lost := o.sent.Load(), o.lost.Load(); sent != maxPost || lost != 10 {
			t.Errorf("sent %d, lost %d", sent, lost)
		}
		o.end()
	})
}

// TestPostWritesLate: the letter is written when its turn comes, once, and perhaps not at all.
func TestPostWritesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(func(m Mail, try int) error {
			if try == 1 {
				return errors.New("451 try later")
			}
			return nil
		})
		o.post1("hangs", "slow")
		var written []time.Duration
		begun := time.Now()
		o.add(&letter{write: func(now time.Time) (Mail, bool, error) {
			written = append(written, now.Sub(begun))
			return Mail{To: "anna"}, true, nil
		}})
		o.add(&letter{write: func(time.Time) (Mail, bool, error) { return Mail{To: "nobody"}, false, nil }})
		o.add(&letter{write: func(time.Time) (Mail, bool, error) { return Mail{}, true, errors.New("no database") }})
		o.after(70 * time.Second)
		if !slices.Equal(written, []time.Duration{sendTime}) || !slices.Equal(o.attempts(), []string{"hangs@0", "anna@30", "hangs@35", "anna@65"}) || o.lost.Load() != 1 {
			t.Errorf("written %v, tried %v, lost %d", written, o.attempts(), o.lost.Load())
		}
		o.end()
	})
}

// TestPostLogsNoAddress: whose mail fails is not for the log.
func TestPostLogsNoAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuse atomic.Bool
		o := newOffice(func(m Mail, _ int) error {
			if refuse.Load() {
				return fmt.Errorf("550 <%s>: no such user: %w", m.To, ErrMailRefused)
			}
			return fmt.Errorf("451 <%s>: not now", m.To)
		})
		o.post1("anna@example.org", "")
		time.Sleep(time.Hour)
		refuse.Store(true)
		o.post1("anna@example.org", "")
		synctest.Wait()
		o.end()
		log := o.log.String()
		if strings.Contains(log, "anna") || strings.Count(log, "...@example.org") != 3 || !strings.Contains(log, "550") {
			t.Errorf("log:\n%s", log)
		}
	})
}
