package signaling

import "smalltalk/store"

// Presence of somebody, for friends.
const (
	presenceOnline  = "online"
	presenceInCall  = "in_call"
	presenceOffline = "offline"
)

// people is told what the HTTP side changes between people, so that those who are there hear of it, and says who is
// there. A nil function does nothing, and then everybody is offline. None of them may wait.
type people struct {
	// presenceOf is where somebody is, however much of it the person shows.
	presenceOf func(store.UserID) string
	// onHide is somebody who has begun or ceased to hide.
	onHide func(store.UserID)
	// onAsked is a friend request of which the other is to hear.
	onAsked func(from, to store.UserID)
	// onFriends are two who have become friends.
	onFriends func(a, b store.UserID)
	// onParted are two whose friendship has ended.
	onParted func(a, b store.UserID)
	// onBlocked is a block; a call between the two is to end.
	onBlocked func(from, whom store.UserID)
	// onUnblocked is a block that was taken back.
	onUnblocked func(from, whom store.UserID)
}

func (p *people) presence(id store.UserID) string {
	if p.presenceOf == nil {
		return presenceOffline
	}
	return p.presenceOf(id)
}

func (p *people) presenceChanged(id store.UserID) {
	if p.onHide != nil {
		p.onHide(id)
	}
}

func (p *people) asked(from, to store.UserID) {
	if p.onAsked != nil {
		p.onAsked(from, to)
	}
}

func (p *people) befriended(a, b store.UserID) {
	if p.onFriends != nil {
		p.onFriends(a, b)
	}
}

func (p *people) parted(a, b store.UserID) {
	if p.onParted != nil {
		p.onParted(a, b)
	}
}

func (p *people) blocked(from, whom store.UserID) {
	if p.onBlocked != nil {
		p.onBlocked(from, whom)
	}
}

func (p *people) unblocked(from, whom store.UserID) {
	if p.onUnblocked != nil {
		p.onUnblocked(from, whom)
	}
}

// deleted is somebody who is gone.
func (p *people) deleted(id store.UserID, friends []store.UserID) {
	for _, friend := range friends {
		p.parted(id, friend)
	}
}
