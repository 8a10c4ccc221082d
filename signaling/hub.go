package signaling

import (
	"sync"

	"smalltalk/store"
)

// hub knows who is online: each user's one session, and each session by its ID. Safe for
// concurrent use; nothing but map work happens under its lock.
type hub struct {
	limit int

	mu     sync.Mutex // guards the maps, and the device of each session in them
	byUser map[store.UserID]*session
	byID   map[store.SessionID]*session
}

func newHub(limit int) *hub {
	return &hub{limit: limit, byUser: map[store.UserID]*session{}, byID: map[store.SessionID]*session{}}
}

// claim makes s its user's session and returns the one it displaces, which the caller evicts
// and waits for before s runs. One of the same ID is not displaced: it is returned and s is not
// in the hub. It reports false when the server is full.
func (h *hub) claim(s *session) (old *session, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if twin := h.byID[s.id]; twin != nil {
		return twin, true
	}
	old = h.byUser[s.user.ID]
	if old == nil && h.isFull() {
		return nil, false
	}
	h.byUser[s.user.ID] = s
	h.byID[s.id] = s
	return old, true
}

// full says if there is no room for another user.
func (h *hub) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isFull()
}

// isFull is full for who holds mu.
func (h *hub) isFull() bool { return h.limit > 0 && len(h.byUser) >= h.limit }

// remove takes s out, unless another has its place by now.
func (h *hub) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byUser[s.user.ID] == s {
		delete(h.byUser, s.user.ID)
	}
	if h.byID[s.id] == s {
		delete(h.byID, s.id)
	}
}

func (h *hub) session(id store.SessionID) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byID[id]
}

func (h *hub) userSession(id store.UserID) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byUser[id]
}

// on returns the user's sessions on the devices of which f says so.
func (h *hub) on(id store.UserID, f func(store.DeviceID) bool) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.onDevices(id, f)
}

// onDevices is on for who holds mu.
func (h *hub) onDevices(id store.UserID, f func(store.DeviceID) bool) []*session {
	var list []*session
	if s := h.byUser[id]; s != nil && f(s.device) {
		list = append(list, s)
	}
	return list
}

// move gives the sessions that on returns another device, which is the one that they are on under its new token.
func (h *hub) move(id store.UserID, f func(store.DeviceID) bool, to store.DeviceID) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.onDevices(id, f)
	for _, s := range list {
		s.device = to
	}
	return list
}

// place notes on which device a session goes on.
func (h *hub) place(s *session, device store.DeviceID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.device = device
}

func (h *hub) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byID)
}
