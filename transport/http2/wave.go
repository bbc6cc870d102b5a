package http2

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/transport"
)

// wave is the receivers that turns of the reader have woken. Those whose streams have
// been in use for a while take the connection's lock neither to get a message, nor to
// answer, nor to wait again: two processors that take it in turns work at half their
// speed. They are passed the message, leave their answers in outboxes, and notes there
// that they wait; what all of them have left is gathered at once. Callers of unary
// calls leave orders.
type wave struct {
	// resuming counts those that have been woken for something else than the end of
	// their calls, and do not run yet.
	resuming atomic.Int32
	// returning counts those that have been woken for the end, and have not closed
	// their streams.
	returning atomic.Int32
	// heldBack tells that something is to be written when all of them run.
	heldBack atomic.Bool
	// gathering tells that somebody is about to gather what has been left.
	gathering atomic.Bool
}

// hold tells whether what is to be written can be left to those who are counted. The
// last of them sees to it.
func (w *wave) hold() bool {
	if !w.coming() {
		return false
	}
	w.heldBack.Store(true)
	return w.coming()
}

func (w *wave) coming() bool { return w.resuming.Load() > 0 || w.returning.Load() > 0 }

// near tells whether somebody is likely to write soon.
func (w *wave) near() bool { return w.coming() || w.gathering.Load() }

// resumed notes that one of those who resume runs. It reports whether it is the last, and
// something has been held back.
func (w *wave) resumed() bool { return w.resuming.Add(-1) == 0 && w.heldBack.Load() }

// addLeft adds n bytes to what has been left. It reports whether they make it so much
// that it is worth a write of its own.
func addLeft(size *int, n int) (worth bool) {
	before := *size
	*size += n
	return before/leaveSize != *size/leaveSize
}

// writeLeft sees to it that what has been left is written. worth is what addLeft has
// said, and prompt tells that somebody may wait for it.
func (c *Conn) writeLeft(worth, prompt bool) {
	if c.wave.gathering.Load() || !worth && c.wave.hold() {
		return
	}
	c.mu.Lock()
	switch {
	case !prompt:
		c.flushSoon()
	case worth && !c.turn && !c.corked:
		c.flushNow(false) // others are about to send, but the peer is to be at work meanwhile
	default:
		c.flush()
	}
}

// endWaveLocked has what was held back written as soon as this goroutine has done its
// part.
func (c *Conn) endWaveLocked() {
	if !c.flushing && !c.turn && !c.corked && c.pendingLocked() {
		c.startFlusherLocked(false)
	}
}

// handLocked hands the receiver of st what is buffered together with its memory, if
// that is little. What comes meanwhile gets memory of its own.
func (c *Conn) handLocked(st *stream) bool {
	size := len(st.buf) - st.off
	if size == 0 || size > quickSize || len(st.more) > 0 || st.exact || st.ahead > 0 {
		return false
	}
	st.held, st.heldOff = st.buf, st.off
	st.buf, st.off = nil, 0
	return true
}

// passLocked hands the receiver of st, which is about to be woken, the message that it
// waits for, so that it need not come for it.
func (c *Conn) passLocked(st *stream) {
	if st.slept < provenSleeps || !c.handLocked(st) {
		return
	}
	c.seenLocked(st, st.need, len(st.held), false)
	st.inside--
	st.handle.given.Store(message)
}

// passed returns what the receiver has been passed, and lets it leave its answer.
func (s *Stream) passed() []byte {
	c := s.c
	s.given.Store(nothing)
	s.letLeave(true)
	if c.wave.resumed() {
		c.mu.Lock()
		c.endWaveLocked()
		c.mu.Unlock()
	}
	return s.st.held[s.st.heldOff:]
}

// discardHeld is Discard for what the receiver has been handed. The books are told
// later: it is the receiver's, and needs no lock.
func (st *stream) discardHeld(n int) {
	n = min(n, len(st.held)-st.heldOff)
	st.due += n
	if st.heldOff += n; st.heldOff == len(st.held) {
		buffer.Put(st.held)
		st.held, st.heldOff = nil, 0
	}
}

// settleLocked takes note of what the receiver has done with what it was handed. It
// reports whether that must be flushed.
func (c *Conn) settleLocked(st *stream) bool {
	if st.held != nil {
		// What it has not read comes before what has come since.
		if st.buf != nil {
			st.more = slices.Insert(st.more, 0, st.buf)
		}
		st.buf, st.off = st.held, st.heldOff
		st.held, st.heldOff = nil, 0
	}
	due := st.due
	if due > 0 {
		st.due = 0
		c.discardedLocked(st, due)
	}
	return due > 0
}

// waitUnlocked has the receiver wait after it has left a note. It returns what it has
// been passed. If there is neither that nor an error, it has taken the lock, for the
// receiver to look itself.
func (s *Stream) waitUnlocked(ctx context.Context, w *waiter) ([]byte, error) {
	c, st := s.c, s.st
	err := w.wait(ctx)
	w.leave(&c.chain)
	if err == nil && s.given.Load() == message {
		return s.passed(), nil
	}
	c.mu.Lock()
	c.readNoteLocked(s, st)
	if err = c.awakenedLocked(s, st, err); err != nil {
		c.mu.Unlock()
	}
	return nil, err
}

// leaveNote leaves a note that the receiver waits, for whoever gathers what the stream
// has left. It returns where to wait; nil if nobody is about to gather.
func (s *Stream) leaveNote(demand transport.Demand) *waiter {
	o, st := s.outbox.Load(), s.st
	if o == nil || st == nil || st.held != nil || st.wake == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.listed {
		return nil
	}
	st.wake.state.Store(waiting)
	o.open, o.note = false, demand
	return st.wake
}

// readNoteLocked takes note of a receiver that waits, as if it had said so itself. If
// there is something for it already, it is woken.
func (c *Conn) readNoteLocked(s *Stream, st *stream) {
	demand := s.takeNote()
	if demand == nil {
		return
	}
	c.sleepsLocked(st)
	c.settleLocked(st)
	st.burst = 0
	buffered := st.buf[st.off:]
	need := demand(buffered)
	if st.err != nil || st.ended || len(buffered) >= need {
		c.wakeLocked(st)
		return
	}
	st.demand = demand
	c.demandLocked(st, need)
}
