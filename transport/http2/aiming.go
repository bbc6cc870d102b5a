package http2

import "github.com/yodelrpc/yodel/internal/frame"

const (
	// leastDirect is the least rest of a DATA frame that is read to where it
	// belongs.
	leastDirect = 4 << 10
	// headsSize is how much is read that does not belong there among large frames: the
	// head of the next frame, and little that would have to be copied.
	headsSize = 4 << 10
	// After fewMissed large frames of which nothing was read to where it belongs, many
	// small messages most likely, about one of triesAgain is given the chance.
	fewMissed  = 4
	triesAgain = 32
)

// aiming is what reads bring to where it belongs, and how much besides.
type aiming struct {
	direct     []byte // where the rest of a DATA frame belongs; Conn.mu guards it
	got        int    // bytes that the last read has put there
	largeFrame bool   // the last frame is DATA of largeSize or more
	missed     uint8  // such frames in a row of which nothing was read to where it belongs; wraps around
	large      bool   // the next is likely to be, and so little is to be read besides
}

// aimLocked sees to it that the next read puts the rest of a large DATA frame
// where it belongs, if there is room.
func (c *Conn) aimLocked() {
	r := &c.reader
	r.direct = nil
	if r.data.left < leastDirect || r.start < r.end {
		return
	}
	st := c.findLocked(r.data.id)
	if st == nil {
		return
	}
	if tail := *st.tail(); cap(tail)-len(tail) >= r.data.left && !st.full() {
		r.aim(tail[len(tail):][:r.data.left], st.need)
	}
}

// aim has the rest of the last frame, a part of a message of need bytes, read to where it
// belongs.
func (a *aiming) aim(direct []byte, need int) {
	a.direct = direct
	a.large = a.largeFrame || need >= exactSize
	a.missed = 0
}

// expect finds out what to expect after a frame's head.
func (a *aiming) expect(h frame.Head) {
	a.largeFrame = h.Type == frame.TypeData && h.Length >= largeSize
	a.large = a.largeFrame && (a.missed < fewMissed || a.missed%triesAgain == 0)
	if a.largeFrame {
		a.missed++
	}
}

// readRoom is how much may be read that does not go where it belongs.
func (a *aiming) readRoom() int {
	if a.large {
		return headsSize
	}
	return readSize
}
