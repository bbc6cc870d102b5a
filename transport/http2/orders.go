package http2

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/yodelrpc/yodel/transport"
)

// orders are what callers leave for whoever writes next, while others of them are
// about to call: calls to be opened, and streams to be closed.
type orders struct {
	mu sync.Mutex // a leaf
	// open and closed are the streams, and size is how many bytes are to be sent,
	// about.
	open, closed []*stream
	size         int
	any          atomic.Bool // one of them is not empty
	// free are cores to use again. On a server Conn.mu guards them.
	free freeList[stream]

	// spare is memory for the next open and closed. Conn.mu guards it.
	spare struct{ open, closed []*stream }
}

// orderSize is what a call has beside its message, about.
const orderSize = 32

// core takes a core from the free list.
func (o *orders) core() *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.coreLocked()
}

func (o *orders) coreLocked() *stream {
	if st := o.free.take(); st != nil {
		return st
	}
	return new(stream)
}

// recycle puts a core on the free list, which callers may be at unless this is a server.
// It keeps where its receiver waits.
func (o *orders) recycle(st *stream, callers bool) {
	w := st.wake
	if w != nil {
		w.clear()
	}
	*st = stream{wake: w}
	if callers {
		o.mu.Lock()
		defer o.mu.Unlock()
	}
	o.free.give(st)
}

// shed gives the cores back.
func (o *orders) shed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.free = nil
	if !o.any.Load() {
		o.open, o.closed, o.spare.open, o.spare.closed = nil, nil, nil, nil
	}
}

// leaveOrder leaves a call to be opened by whoever writes next, if somebody is about
// to. It returns nil if not.
func (c *Conn) leaveOrder(out *transport.Outgoing) *Stream {
	if out.Demand == nil || !out.AwaitsEnd || !out.End || out.Trailer != nil || len(out.Bulk) > 0 || len(out.Data) > outboxSize || !c.wave.near() {
		return nil
	}
	s, worth := c.orders.add(c, out)
	c.writeLeft(worth, true)
	return s
}

// add lists a call. It reports whether there is so much now that it is worth a write of
// its own.
func (o *orders) add(c *Conn, out *transport.Outgoing) (s *Stream, worth bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.coreLocked()
	s = &st.own
	s.holds(c, st)
	if st.wake == nil {
		st.wake = newWaiter()
	}
	st.wake.state.Store(waiting)
	st.order, st.ordered = out, true
	o.open = append(o.open, st)
	o.any.Store(true)
	return s, addLeft(&o.size, len(out.Data)+orderSize)
}

// leaveClosed leaves a call that has ended to be closed by whoever writes next, if
// others are about to.
func (s *Stream) leaveClosed() bool {
	c, st := s.c, s.st
	if st == nil || !st.returning || c.wave.returning.Load() < 2 {
		return false
	}
	st.returning = false
	o := &c.orders
	o.mu.Lock()
	o.closed = append(o.closed, st)
	o.any.Store(true)
	o.mu.Unlock()
	if c.wave.returning.Add(-1) == 0 {
		c.mu.Lock()
		c.flush()
	}
	return true
}

// fillOrdersLocked does what has been left to do. It reports whether somebody waits for
// an answer now.
func (c *Conn) fillOrdersLocked() (waits bool) {
	o := &c.orders
	if !o.any.Load() {
		return false
	}
	c.closeLeftLocked()
	o.mu.Lock()
	open := o.open
	o.open, o.spare.open, o.size = o.spare.open, nil, 0
	o.any.Store(len(o.closed) > 0)
	o.mu.Unlock()
	for i, st := range open {
		open[i] = nil
		waits = c.openOrderLocked(st) || waits
	}
	o.spare.open = open[:0]
	return waits
}

// closeLeftLocked closes what has been left for that.
func (c *Conn) closeLeftLocked() {
	o := &c.orders
	o.mu.Lock()
	closed := o.closed
	o.closed, o.spare.closed = o.spare.closed, nil
	o.mu.Unlock()
	for i, st := range closed {
		closed[i] = nil
		c.closeLocked(&st.own, st)
	}
	o.spare.closed = closed[:0]
}

// openOrderLocked opens a call as Open does. If something has to be waited for, or it
// cannot be opened, its caller is woken to see to it itself.
func (c *Conn) openOrderLocked(st *stream) bool {
	out := st.order
	n := len(out.Data)
	if c.draining != nil || n > min(int(c.peer.InitialWindowSize), c.sendWindow.Available()) || !c.tryAdmitLocked() {
		st.wake.wake()
		return false
	}
	if c.startLocked(st, out) != nil {
		st.wake.wake()
		return false
	}
	st.order = nil
	c.sleepsLocked(st)
	err := c.sendHeaderLocked(st, out.Header, n == 0)
	if err == nil && n > 0 {
		_, err = c.sendSomeLocked(st, payload{data: out.Data}, true)
	}
	if err != nil {
		c.resetLocked(st, transport.ReasonInternal, err)
		return false
	}
	st.demand = out.Demand
	c.demandLocked(st, out.Demand(nil))
	return true
}

// awaitOrder waits for a call that its caller has left. Like waitUnlocked, it returns
// what there is, or an error, or it has taken the lock for the receiver to look itself.
func (s *Stream) awaitOrder(ctx context.Context, st *stream) (buffered []byte, ended bool, err error) {
	c := s.c
	err = st.wake.wait(ctx)
	st.wake.leave(&c.chain)
	st.ordered = false
	if err == nil && s.given.Load() == theEnd {
		return st.buf[st.off:], true, nil
	}
	c.mu.Lock()
	out := c.withdrawLocked(st)
	switch {
	case out == nil:
		if err = c.awakenedLocked(s, st, err); err == nil {
			return nil, false, nil
		}
		c.mu.Unlock()
	case err != nil:
		c.mu.Unlock()
		err = &transport.Error{Initiator: transport.User, Reason: transport.ReasonCanceled, Unprocessed: true, Err: err}
	default:
		if err = c.openLocked(ctx, st, s, out); err == nil {
			c.mu.Lock()
		}
	}
	return nil, false, err
}

// withdrawLocked takes the order back that the caller of st has left; nil if it has been
// filled.
func (c *Conn) withdrawLocked(st *stream) *transport.Outgoing {
	out := st.order
	if out == nil {
		return nil
	}
	st.order = nil
	o := &c.orders
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = slices.DeleteFunc(o.open, func(other *stream) bool { return other == st })
	return out
}
