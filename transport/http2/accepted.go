package http2

import "github.com/yodelrpc/yodel/transport"

// accepted is the streams of a server's connection that wait for a handler,
// first come first served. It is guarded by Conn.mu.
type accepted struct {
	queue []*Stream
	head  int
	// called tells that a worker has been called, and is not here yet: one at a
	// time is enough, since each calls for the next.
	called bool
	// running counts handlers that have not returned.
	running int
	// free are handles to use again, of streams that nobody touches any more.
	free freeList[Stream]
}

// handle makes a Stream, or takes a free one.
func (a *accepted) handle() *Stream {
	if s := a.free.take(); s != nil {
		return s
	}
	return new(Stream)
}

// recycle keeps a Stream whose handler has returned, if nobody touches it any more. One
// with an outbox may be on a list.
func (a *accepted) recycle(s *Stream) {
	if s.released && s.outbox.Load() == nil {
		*s = Stream{}
		a.free.give(s)
	}
}

func (a *accepted) waiting() int { return len(a.queue) - a.head }

func (a *accepted) push(s *Stream) {
	if a.head > 0 && len(a.queue) == cap(a.queue) {
		n := copy(a.queue, a.queue[a.head:])
		clear(a.queue[n:])
		a.queue, a.head = a.queue[:n], 0
	}
	a.queue = append(a.queue, s)
}

// pop returns nil if there is none.
func (a *accepted) pop() *Stream {
	if a.waiting() == 0 {
		return nil
	}
	s := a.queue[a.head]
	a.queue[a.head] = nil
	if a.head++; a.head == len(a.queue) {
		a.queue, a.head = a.queue[:0], 0
	}
	return s
}

// dropDeadLocked takes streams that were reset meanwhile out of the queue once
// they could be many: opening and resetting must not make it grow.
func (c *Conn) dropDeadLocked() {
	a := &c.accepted
	if a.waiting() <= c.cfg.Limits.ConcurrentStreams {
		return
	}
	alive := a.queue[:0]
	for _, s := range a.queue[a.head:] {
		if s.st.err == nil {
			alive = append(alive, s)
		} else {
			c.releaseLocked(s)
		}
	}
	clear(a.queue[len(alive):])
	a.queue, a.head = alive, 0
}

// makeRoomLocked helps when nobody can go on: all handlers that may run wait for
// data, which the peer has no credit to send, because what has come for streams that
// wait for a handler is too much already. The newest of those are refused: their
// client may try again (RFC 9113 §8.7).
func (c *Conn) makeRoomLocked() {
	a := &c.accepted
	stuck := func() bool {
		return c.unread >= c.cfg.MaxUnread && c.recvWindow.Credit() == 0 && c.err == nil &&
			a.running >= c.cfg.Limits.RunningHandlers && c.sleepers >= a.running
	}
	for i := len(a.queue) - 1; i >= a.head && stuck(); i-- {
		if st := a.queue[i].st; st.err == nil && st.unread > 0 {
			c.resetLocked(st, transport.ReasonRefused, nil)
		}
	}
}

// releaseLocked lets go of a stream that no handler has seen.
func (c *Conn) releaseLocked(s *Stream) {
	st := s.st
	s.st = nil
	c.forgetHeaderLocked(st)
	c.recycleLocked(st)
}

// nextLocked takes the next stream for a handler to run, if one may.
func (c *Conn) nextLocked() *Stream {
	a := &c.accepted
	for a.running < c.cfg.Limits.RunningHandlers {
		s := a.pop()
		if s == nil {
			return nil
		}
		if s.st.err == nil {
			a.running++
			return s
		}
		c.releaseLocked(s)
	}
	return nil
}

// callLocked tells whether a worker must be called for the streams that wait.
func (c *Conn) callLocked() bool {
	a := &c.accepted
	if a.called || a.waiting() == 0 || a.running >= c.cfg.Limits.RunningHandlers {
		return false
	}
	a.called = true
	return true
}

// callForAnswersLocked is callLocked for a worker that is about to run the last
// handler, and has left answers pending: should it take its time, another one
// writes them.
func (c *Conn) callForAnswersLocked() bool {
	if c.accepted.called || c.flushing || !c.pendingLocked() {
		return false
	}
	c.accepted.called = true
	return true
}

// workerComesLocked tells whether what is pending can be left to a worker that
// is about to come, and has streams to serve: answers to calls that came
// together leave together. It comes, and writes, even if the handlers that run
// now do not return.
func (c *Conn) workerComesLocked() bool { return c.accepted.called && c.accepted.waiting() > 0 }

// serveAccepted is a worker's turn on the connection: it runs handlers until no
// stream waits.
func (c *Conn) serveAccepted() {
	served := false
	// A handler that ends its goroutine must not take the slot with it.
	defer func() {
		if served {
			c.handlerDone()
		}
	}()
	c.mu.Lock()
	c.accepted.called = false
	for {
		s := c.nextLocked()
		if s == nil {
			c.flush()
			return
		}
		call := c.callLocked() || c.callForAnswersLocked()
		c.mu.Unlock()
		if call {
			c.workers.start(c)
		}
		served = true
		c.handler.ServeStream(s, s.header)
		served = false
		c.mu.Lock()
		c.servedLocked(s)
	}
}

// servedLocked ends a stream whose handler has returned. What that leaves pending must be
// flushed.
func (c *Conn) servedLocked(s *Stream) {
	if st := s.st; st != nil {
		c.closeLocked(s, st)
	}
	c.accepted.recycle(s)
	c.accepted.running--
}

// handlerDone frees the slot of a handler that did not return, for those who
// wait for one.
func (c *Conn) handlerDone() {
	c.mu.Lock()
	c.accepted.running--
	call := c.callLocked()
	c.mu.Unlock()
	if call {
		c.workers.start(c)
	}
}
