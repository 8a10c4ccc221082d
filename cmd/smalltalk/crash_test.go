package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/text/language"
)

// standing is where a client is, as it was told: in line, in a call, or neither.
type standing struct {
	Phase string `json:"phase"`
	Call  struct {
		Call string `json:"call"`
		Pair string `json:"pair"`
		Peer struct {
			ID string `json:"id"`
		} `json:"peer"`
	} `json:"call"`
}

// survivor is a client that lives through a crash of the server.
type survivor struct {
	*client
	join   map[string]any // what it looks for
	ticket string         // signed place in line
	since  int64
	pair   string // proof of the call
	peer   string
}

// crowd is the people whose server is killed: waiting are apart by language, or by nothing but the strictness of one of two, and calls
// are in pairs, one behind the other.
type crowd struct {
	waiting, calls []*survivor
}

// eachOf runs f for all numbers below n, some at a time.
func eachOf(n int, f func(i int)) {
	var wg sync.WaitGroup
	turns := make(chan struct{}, 16)
	for i := range n {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			f(i)
		})
	}
	wg.Wait()
}

// languages are some hundreds that there are.
var languages = sync.OnceValue(func() (list []string) {
	for n := range 26 * 26 * 26 {
		code := string([]byte{'a' + byte(n/676), 'a' + byte(n/26%26), 'a' + byte(n%26)})
		if base, err := language.ParseBase(code); err == nil && base.String() == code {
			list = append(list, code)
		}
	}
	return list
})

func lang(i int) string { return languages()[i] }

// crowdOf connects everybody. The first of those who wait has waited longest.
func crowdOf(t *testing.T, base string, waiting, calls int) crowd {
	c := crowd{make([]*survivor, waiting), make([]*survivor, calls)}
	eachOf(waiting+calls, func(i int) {
		s := &survivor{client: guest(t, http.DefaultClient, base)}
		if i < waiting {
			c.waiting[i] = s
		} else {
			c.calls[i-waiting] = s
		}
	})
	joins := func(i int) {
		join := map[string]any{"type": "queue.join", "topics": []string{"gaming"}, "langs": []string{lang(i)}}
		if i >= waiting/2 { // two of a language, one of whom is strict and the other takes any topic
			join["langs"] = []string{lang(i - i%2)}
			if join["strict"] = i%2 == 0; i%2 == 1 {
				join["topics"] = "any"
			}
		}
		s := c.waiting[i]
		s.send(join)
		m := s.expect("queue.state")
		s.join, s.ticket, s.since = join, m.Ticket, m.Since
	}
	joins(0)
	time.Sleep(50 * time.Millisecond)
	eachOf(waiting-1, func(i int) { joins(i + 1) })
	eachOf(calls, func(i int) {
		s := c.calls[i]
		s.send(map[string]any{"type": "queue.join", "topics": []string{"news"}, "langs": []string{lang(waiting + i/2)}})
		m := s.expect("match")
		s.pair, s.peer = m.Pair, m.Peer.ID
	})
	return c
}

// back connects a client again to the server that came after the crash, and returns where that says it is. One who was in line
// and has lost the place to the crash shows the ticket.
func (s *survivor) back(t *testing.T, base string) standing {
	fields := map[string]any{"token": s.token, "resume": s.resume}
	if s.pair != "" {
		fields["pair"] = s.pair
	}
	call := s.call
	s.client = dial(t, http.DefaultClient, base, fields)
	s.call = call
	var at standing
	if err := json.Unmarshal(s.history[0].RTC, &at); err != nil {
		t.Error(err)
	}
	return at
}

// TestCrashWithCrowd kills the server at once after 200 people stand in line and 100 are in calls. All come back to the same partner or
// the same place; calls to which nobody or only one comes back end with the grace.
func TestCrashWithCrowd(t *testing.T) {
	const waiting, calls, alone, gone = 200, 100, 4, 4
	data := t.TempDir()
	p := start(t, data, "--grace", "15s")
	c := crowdOf(t, p.base, waiting, calls)
	p.stop(syscall.SIGKILL, 5*time.Second)
	onDisk := len(checkStore(t, data))

	p = start(t, data, "--grace", "15s")
	started := time.Now()
	var mu sync.Mutex // guards byTicket
	byTicket := 0
	returning := c.calls[:calls-2*gone]
	eachOf(waiting+len(returning), func(i int) {
		if i < waiting {
			s := c.waiting[i]
			at := s.back(t, p.base)
			if at.Phase == "idle" { // not written yet when the server was killed
				mu.Lock()
				byTicket++
				mu.Unlock()
				s.join["ticket"] = s.ticket
				s.send(s.join)
			}
			if m := s.expect("queue.state"); m.Since != s.since || at.Phase == "call" {
				t.Errorf("%d waited since %d, and is %s since %d", i, s.since, at.Phase, m.Since)
			}
			return
		}
		i -= waiting
		s := returning[i]
		if i >= len(returning)-2*alone && i%2 == 1 {
			return // his partner is alone
		}
		if at := s.back(t, p.base); at.Phase != "call" || at.Call.Call != s.call || at.Call.Peer.ID != s.peer {
			t.Errorf("was in call %s with %s, and is %s in %q with %q", s.call, s.peer, at.Phase, at.Call.Call, at.Call.Peer.ID)
		}
	})
	if back := time.Since(started); back > 12*time.Second {
		t.Fatalf("it took %v until all were back, which the grace does not leave time for", back)
	}
	t.Logf("all back %v after the start; %d rooms were on the disk, %d places came from their owners", time.Since(started).Round(time.Millisecond), onDisk, byTicket)

	// Somebody new meets who has waited longest.
	fresh := guest(t, http.DefaultClient, p.base)
	fresh.send(map[string]any{"type": "queue.join", "topics": []string{"gaming"}})
	if met, first := fresh.expect("match").Call, c.waiting[0].expect("match").Call; met != first {
		t.Errorf("somebody new is in call %s, who has waited longest in %s", met, first)
	}

	for i := len(returning) - 2*alone; i < len(returning); i += 2 {
		if end := returning[i].expect("call.end"); end.Call != returning[i].call || end.Reason != "lost" {
			t.Errorf("the partner is gone: %+v", end)
		}
	}
	together := returning[:len(returning)-2*alone]
	var want []string
	for _, s := range together {
		want = append(want, s.call)
	}
	want = append(want, fresh.call)
	slices.Sort(want)
	want = slices.Compact(want)
	if len(want) != len(together)/2+1 {
		t.Errorf("%d people are in %d calls", len(together)+2, len(want))
	}
	p.stop(syscall.SIGTERM, 5*time.Second)
	var got []string
	for _, r := range checkStore(t, data) {
		got = append(got, string(r.ID))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("rooms in the end:\n got %v\nwant %v", got, want)
	}
}

// TestStopKeepsTheLine ends the server in order: who waits is in line again, at the same place.
func TestStopKeepsTheLine(t *testing.T) {
	data := t.TempDir()
	p := start(t, data)
	c := crowdOf(t, p.base, 20, 0)
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Fatalf("exit code %d, log:\n%s", code, p.logged())
	}
	p = start(t, data)
	for i, s := range c.waiting {
		if at := s.back(t, p.base); at.Phase != "queued" {
			t.Errorf("%d is %s", i, at.Phase)
			continue
		}
		if m := s.expect("queue.state"); m.Since != s.since {
			t.Errorf("%d waited since %d, and does since %d", i, s.since, m.Since)
		}
	}
}
