package http2

import (
	"errors"
	"os"
	"time"
)

// restTime is how long a connection has no streams before it rests.
const restTime = time.Second

// rest is what a connection does when it is idle: it gives back what it keeps for its
// next streams, and its goroutine, whose stack has grown, is replaced by a fresh one
// that only waits for the socket. Conn.mu guards it.
type rest struct {
	timer *time.Timer
	armed bool
	seen  uint64 // reading.turns when it was last looked
	// due tells the reader to rest, when its deadline ends the read.
	due bool
}

// idleLocked notes that there are no streams.
func (c *Conn) idleLocked() {
	r := &c.rest
	if r.armed || c.socket == nil || c.err != nil || c.streams.len() > 0 {
		return
	}
	r.armed, r.seen = true, c.reading.turns
	if r.timer == nil {
		r.timer = time.AfterFunc(restTime, c.considerRest)
		return
	}
	r.timer.Reset(restTime)
}

// considerRest has the connection rest if nothing has happened since the last time.
func (c *Conn) considerRest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, g := &c.rest, &c.reading
	switch {
	case !r.armed || c.err != nil || c.streams.len() > 0:
		r.armed = false // idleLocked comes back to it
	case r.seen != g.turns || g.resting || c.flushing:
		r.seen = g.turns
		r.timer.Reset(restTime)
	default:
		*r = rest{due: true}
		c.shedLocked()
		_ = c.nc.SetReadDeadline(aLongTimeAgo)
	}
}

// shedLocked gives back what is kept for the next streams.
func (c *Conn) shedLocked() {
	c.streams, c.found = streamTable{}, nil
	c.orders.shed()
	c.waiters.free, c.accepted.free = nil, nil
	if c.accepted.waiting() == 0 { // streams that are over may still wait for a handler
		c.accepted.queue = nil
	}
	if !c.out.any() {
		c.out.refs, c.writing.refs = nil, nil
	}
	if !c.reading.resting {
		c.reading.resume = nil
	}
	c.unwatchLocked()
	if g := &c.reading; g.steward != nil && !g.armed {
		g.steward = nil
	}
}

// toRest tells whether err has ended a read because the connection is to rest, and lifts
// the deadline that did.
func (c *Conn) toRest(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	due := c.rest.due && c.err == nil
	c.rest.due = false
	if due {
		_ = c.nc.SetReadDeadline(time.Time{})
		c.reader.hasDeadline = false // it is set again, if it is needed
	}
	return due
}

// restNow gives the reader's role, and what it keeps for its next turns, away.
func (c *Conn) restNow() {
	r := &c.reader
	c.mu.Lock()
	r.effects = effects{} // they are empty between turns
	c.mu.Unlock()
	r.spare, r.fields = effects{}, nil
	r.release()
	go c.doze()
}

// doze is readLoop for a goroutine that has nothing to read yet. Its stack grows when
// there is.
func (c *Conn) doze() {
	waitReadable(c.socket)
	c.mu.Lock()
	c.idleLocked() // it may be a PING
	c.mu.Unlock()
	c.readLoop()
}
