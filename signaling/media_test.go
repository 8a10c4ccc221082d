package signaling_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"smalltalk/signaling"
)

// fakeMedia stands for the media engine: rooms by name, and packets that carry the name of
// the room they were sent in. It is the only part of the product that these tests fake.
type fakeMedia struct {
	mu        sync.Mutex
	rooms     map[string][]*fakePeer
	everIn    map[string]map[string]bool // room -> owners
	opened    int
	closed    int
	crossed   []string             // what must not happen
	newError  error                // of newPeer
	joinError error                // of Join
	hold      chan struct{}        // when set, Answer waits for it
	blocked   bool                 // what is answered does not get connected
	last      map[string]*fakePeer // by owner, the one answered last
}

func newFakeMedia() *fakeMedia {
	return &fakeMedia{rooms: map[string][]*fakePeer{}, everIn: map[string]map[string]bool{}, last: map[string]*fakePeer{}}
}

// codedErr is an error as the media engine marks them.
type codedErr string

func (e codedErr) Error() string { return "fake media: " + string(e) }
func (e codedErr) Code() string  { return string(e) }

// fakePeer takes its owner's name and codec from the offer: "offer <owner> [codec]".
type fakePeer struct {
	m       *fakeMedia
	owner   string
	codec   string
	room    string
	state   string
	changed chan struct{}
	done    chan struct{}
	shut    bool
	gone    bool
	got     []string // rooms of the packets received
	wants   want
}

// want is what a peer was told to want last.
type want struct {
	audio, video bool
	maxBitrate   int
}

var _ signaling.Peer = (*fakePeer)(nil)

func (m *fakeMedia) newPeer() (signaling.Peer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.newError != nil {
		return nil, m.newError
	}
	m.opened++
	return &fakePeer{m: m, state: "new", changed: make(chan struct{}), done: make(chan struct{})}, nil
}

// refuse makes newPeer fail with err, or work again with nil.
func (m *fakeMedia) refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.newError = err
}

func (p *fakePeer) Answer(offer string) (string, error) {
	p.m.mu.Lock()
	hold := p.m.hold
	p.m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-p.done:
			return "", errors.New("closed")
		}
	}
	words := strings.Fields(offer)
	if len(words) < 2 || words[0] != "offer" {
		return "", fmt.Errorf("answer: %w", codedErr("sdp_rejected"))
	}
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.owner = words[1]
	if len(words) > 2 {
		p.codec = words[2]
	}
	p.m.last[p.owner] = p
	if !p.m.blocked {
		p.setState("connected")
	}
	return "answer " + p.owner, nil
}

func (p *fakePeer) setState(state string) {
	if p.state != state && !p.shut {
		p.state = state
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

func (p *fakePeer) Join(room string) error {
	m := p.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.joinError != nil {
		return m.joinError
	}
	if p.room != "" {
		m.crossed = append(m.crossed, p.owner+" joined "+room+" while in "+p.room)
	}
	if len(m.rooms[room]) > 1 {
		m.crossed = append(m.crossed, "third peer in "+room)
		return codedErr("room_full")
	}
	for _, other := range m.rooms[room] {
		if other.codec != p.codec {
			return codedErr("media_failed")
		}
	}
	p.room = room
	m.rooms[room] = append(m.rooms[room], p)
	if m.everIn[room] == nil {
		m.everIn[room] = map[string]bool{}
	}
	m.everIn[room][p.owner] = true
	m.exchange(room)
	return nil
}

// exchange lets everybody in the room send one packet.
func (m *fakeMedia) exchange(room string) {
	for _, from := range m.rooms[room] {
		for _, to := range m.rooms[room] {
			if from != to {
				to.got = append(to.got, from.room)
			}
			if from.room != to.room {
				m.crossed = append(m.crossed, "packet of "+from.room+" in "+to.room)
			}
		}
	}
}

func (p *fakePeer) Leave() {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.leave()
}

func (p *fakePeer) leave() {
	if p.room == "" {
		return
	}
	rest := slices.DeleteFunc(p.m.rooms[p.room], func(o *fakePeer) bool { return o == p })
	if p.m.rooms[p.room] = rest; len(rest) == 0 {
		delete(p.m.rooms, p.room)
	}
	p.room = ""
}

func (p *fakePeer) Want(audio, video bool, maxBitrate int) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.wants = want{audio, video, maxBitrate}
}

// wantOf is what an owner's peer that is in a room wants.
func (m *fakeMedia) wantOf(owner string) want {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.inRooms() {
		if p.owner == owner {
			return p.wants
		}
	}
	return want{}
}

func (p *fakePeer) State() (string, <-chan struct{}) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	return p.state, p.changed
}

func (p *fakePeer) Done() <-chan struct{} { return p.done }

func (p *fakePeer) Close() error {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if p.shut {
		return nil
	}
	p.leave()
	p.shut = true
	p.m.closed++
	if !p.gone {
		p.gone = true
		close(p.done)
	}
	return nil
}

// setState makes an owner's last peer look as if its network had done something.
func (m *fakeMedia) setState(owner, state string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[owner].setState(state)
}

// block lets what is answered from now on get connected, or not.
func (m *fakeMedia) block(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocked = on
}

// die ends the transport of an owner's last peer.
func (m *fakeMedia) die(owner string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.last[owner]; !p.gone {
		p.gone = true
		close(p.done)
	}
}

func (m *fakeMedia) inRooms() []*fakePeer {
	var all []*fakePeer
	for _, peers := range m.rooms {
		all = append(all, peers...)
	}
	return all
}

// roomOf is the room in which an owner's peer is, or "".
func (m *fakeMedia) roomOf(owner string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.inRooms() {
		if p.owner == owner {
			return p.room
		}
	}
	return ""
}

// owners is who was ever in a room.
func (m *fakeMedia) owners(room string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for owner := range m.everIn[room] {
		all = append(all, owner)
	}
	slices.Sort(all)
	return all
}

func (m *fakeMedia) counts() (opened, closed, rooms int, crossed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opened, m.closed, len(m.rooms), slices.Clone(m.crossed)
}
