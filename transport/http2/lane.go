package http2

import "slices"

// laneShare is how much a stream sends in the lane before the next one that waits for it.
const laneShare = 1 << 20

// lane is for large messages, and one stream at a time is in it: if all of them went out
// a piece each, every one would be as late as the last, and the peer would hold parts of
// all. Small messages do not need it, and go in between. Conn.mu guards it.
type lane struct {
	id      uint32    // of the stream that is in it; zero is none
	left    int       // of its share
	waiting []*stream // first come, first served
}

// spend takes note that a stream has sent n bytes.
func (l *lane) spend(st *stream, n int) {
	if l != nil && l.id == st.id {
		l.left -= n
	}
}

// enterLaneLocked reports whether st is in the lane. If it is not, it waits for it, and
// is woken when it may try again.
func (c *Conn) enterLaneLocked(st *stream) bool {
	if c.lane == nil {
		c.lane = new(lane)
	}
	l := c.lane
	if l.id == st.id && l.left <= 0 && len(l.waiting) > 0 {
		c.leaveLaneLocked(st.id)
	}
	if l.id == 0 && (len(l.waiting) == 0 || l.waiting[0] == st) {
		l.id, l.left = st.id, laneShare
		l.waiting = slices.Delete(l.waiting, 0, min(1, len(l.waiting)))
	}
	if l.id == st.id {
		return true
	}
	if !slices.Contains(l.waiting, st) {
		l.waiting = append(l.waiting, st)
	}
	return false
}

// leaveLaneLocked sees to it that the stream with an id is not in the lane.
func (c *Conn) leaveLaneLocked(id uint32) {
	if l := c.lane; l != nil && l.id == id {
		l.id = 0
		l.callLocked()
	}
}

// leaveLineLocked sees to it that st does not wait for the lane.
func (c *Conn) leaveLineLocked(st *stream) {
	if l := c.lane; l != nil {
		l.waiting = slices.DeleteFunc(l.waiting, func(other *stream) bool { return other == st })
		l.callLocked()
	}
}

// callLocked wakes the first that waits, if the lane is free.
func (l *lane) callLocked() {
	if l.id == 0 && len(l.waiting) > 0 {
		l.waiting[0].wakeSenderLocked()
	}
}
