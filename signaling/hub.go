package signaling

import (
	"slices"
	"sync"

	"smalltalk/store"
)

// maxDevices is how many sessions somebody with an account may have at once, each on a device of its own.
const maxDevices = 8

// hub knows which sessions there are, by user and by ID. Safe for concurrent use; nothing but map work happens under its
// lock.
type hub struct {
	limit int

	mu     sync.Mutex                  // guards what follows, and the device of each session
	byUser map[store.UserID][]*session // in the order of coming
	byID   map[store.SessionID]*session
	count  int // of sessions in byUser
}

func newHub(limit int) *hub {
	return &hub{limit: limit, byUser: map[store.UserID][]*session{}, byID: map[store.SessionID]*session{}}
}

// claim adds s to its user's sessions and returns the one it displaces, which the caller evicts
// and waits for before s runs. One of the same ID is not displaced: it is returned and s is not
// in the hub. It reports false when the server is full.
func (h *hub) claim(s *session) (old *session, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if twin := h.byID[s.id]; twin != nil {
		return twin, true
	}
	old = h.displaced(s)
	if old == nil && h.isFull() {
		return nil, false
	}
	if old != nil {
		h.drop(old)
	}
	h.byUser[s.user.ID] = append(h.byUser[s.user.ID], s)
	h.count++
	h.byID[s.id] = s
	return old, true
}

// displaced is the session that has to go for s: a guest's other one, the one on the same device, or the oldest of too many.
func (h *hub) displaced(s *session) *session {
	list := h.byUser[s.user.ID]
	for _, other := range list {
		if s.user.Guest || other.device == s.device {
			return other
		}
	}
	if len(list) >= maxDevices {
		return list[0]
	}
	return nil
}

// drop takes s out of its user's sessions, if it is one of them.
func (h *hub) drop(s *session) {
	list := h.byUser[s.user.ID]
	i := slices.Index(list, s)
	if i < 0 {
		return
	}
	h.count--
	if len(list) == 1 {
		delete(h.byUser, s.user.ID)
		return
	}
	h.byUser[s.user.ID] = slices.Delete(list, i, i+1)
}

// full says if there is no room for another session.
func (h *hub) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isFull()
}

// isFull is full for who holds mu.
func (h *hub) isFull() bool { return h.limit > 0 && h.count >= h.limit }

// remove takes s out, unless another has its place by now.
func (h *hub) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(s)
	if h.byID[s.id] == s {
		delete(h.byID, s.id)
	}
}

func (h *hub) session(id store.SessionID) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byID[id]
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
	for _, s := range h.byUser[id] {
		if f(s.device) {
			list = append(list, s)
		}
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

// deviceOf is the device on which a session is.
func (h *hub) deviceOf(s *session) store.DeviceID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.device
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
