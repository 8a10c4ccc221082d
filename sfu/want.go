package sfu

// Want says what the peer is to be sent from now on, whoever its partner is;
// at first that is all there is. What it does not want is not forwarded, and a
// picture that it wants again begins with a key frame. maxBitrate is a wish
// for how much its partner sends at most, sound and picture together, in
// bit/s; 0 is no wish. The partner may be told less, never more.
func (p *Peer) Want(wantAudio, wantVideo bool, maxBitrate int) {
	now := p.engine.now()
	p.leg.wish.Store(uint64(max(maxBitrate, 0)))
	p.leg.want(audio, wantAudio, now)
	p.leg.want(video, wantVideo, now)
}

// wanted is what the peer may send in bit/s, whatever its path would take; r
// is nil while it is alone.
func (l *leg) wanted(r *route) uint64 {
	if r == nil {
		return l.allowed()
	}
	if wish := r.subscriber.wish.Load(); wish > 0 {
		return min(wish, l.allowed())
	}

	return l.allowed()
}
