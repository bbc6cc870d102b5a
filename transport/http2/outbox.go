package http2

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/transport"
)

// outboxSize is how much a stream's outbox takes: less than what is sent by
// reference.
const outboxSize = refSize - 1

// outbox is where a stream's sender leaves small messages without the connection's
// lock: those that follow each other, and answers of a wave. Whoever flushes gathers
// them.
type outbox struct {
	mu sync.Mutex // may be taken with Conn.mu, which must not be taken with it
	// buf is what has been left, as far as it has not been taken.
	buf []byte
	// open tells that something may be left: the last thing that was sent is data, and
	// more may follow, or the receiver is of a wave.
	open bool
	// prompt tells that what comes next may be an answer that somebody waits for.
	prompt bool
	// listed tells that the stream is about to be gathered.
	listed bool
	// note is what the receiver waits for, unless the books have it.
	note transport.Demand
}

// outboxes are the streams that have left something. Conn.mu guards them, but for
// those that mu does.
type outboxes struct {
	mu sync.Mutex // a leaf
	// full have something that may be sent, and size is how much, about. mu guards
	// both.
	full []*Stream
	size int
	any  atomic.Bool // full is not empty
	// spare is memory for the next full.
	spare []*Stream
	// stuck wait for the connection's window.
	stuck []*Stream
}

// Append implements [transport.Stream].
func (s *Stream) Append(data []byte) bool {
	o := s.outbox.Load()
	if o == nil {
		return false
	}
	o.mu.Lock()
	if !o.open || len(o.buf)+len(data) > outboxSize {
		o.mu.Unlock()
		return false
	}
	first, prompt := len(o.buf) == 0, o.prompt
	o.prompt = false
	o.listed = o.listed || first
	o.append(data, prompt)
	o.mu.Unlock()
	if first {
		s.c.writeLeft(s.c.outboxes.add(s, len(data)), prompt)
	}
	return true
}

// append adds data to what has been left. alone tells that it is not likely that more
// follows.
func (o *outbox) append(data []byte, alone bool) {
	if cap(o.buf)-len(o.buf) < len(data) {
		size := outboxSize
		if alone {
			size = len(data)
		}
		old := o.buf
		o.buf = append(buffer.Get(size), old...)
		buffer.Put(old)
	}
	o.buf = append(o.buf, data...)
}

// add lists a stream that has left n bytes. It reports whether they have made it so
// much that it is worth a write of its own.
func (b *outboxes) add(s *Stream, n int) (worth bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = append(b.full, s)
	b.any.Store(true)
	return addLeft(&b.size, n)
}

// takeLocked takes all streams off the list.
func (b *outboxes) takeLocked() []*Stream {
	if !b.any.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.full
	b.full, b.size, b.spare = b.spare, 0, nil
	b.any.Store(false)
	return full
}

// letLeave lets the sender of s leave what follows. prompt tells that it may be an
// answer that somebody waits for.
func (s *Stream) letLeave(prompt bool) {
	o := s.outbox.Load()
	if o == nil {
		s.outbox.CompareAndSwap(nil, &outbox{})
		o = s.outbox.Load()
	}
	o.mu.Lock()
	o.open, o.prompt = true, prompt
	o.mu.Unlock()
}

// pauseOutboxLocked has the sender of s send the next message at once: it may be an
// answer that somebody waits for.
func (s *Stream) pauseOutboxLocked() {
	if o := s.outbox.Load(); o != nil {
		o.mu.Lock()
		o.open = false
		o.mu.Unlock()
	}
}

// shutOutboxLocked takes what the sender of s has left, and lets it leave nothing
// more. What is taken goes back with buffer.Put.
func (s *Stream) shutOutboxLocked() []byte {
	o := s.outbox.Load()
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	left := o.buf
	o.buf, o.open, o.prompt = nil, false, false
	return left
}

// takeNote takes the note that the receiver of s has left; nil if there is none.
func (s *Stream) takeNote() transport.Demand {
	o := s.outbox.Load()
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	note := o.note
	o.note, o.listed = nil, false
	return note
}

// dropOutboxLocked throws away what has been left on a stream that has ended.
func (c *Conn) dropOutboxLocked(st *stream) {
	buffer.Put(st.handle.shutOutboxLocked())
	c.readNoteLocked(st.handle, st)
	if st.listed {
		st.listed = false
		c.outboxes.stuck = slices.DeleteFunc(c.outboxes.stuck, func(other *Stream) bool { return other == st.handle })
	}
}

// pendingLocked tells whether there is something to be written.
func (c *Conn) pendingLocked() bool {
	return c.out.any() || c.outboxes.any.Load() || c.orders.any.Load()
}

// gatherLocked takes what has been left, as far as flow control allows.
func (c *Conn) gatherLocked() {
	slept := c.fillOrdersLocked()
	full := c.outboxes.takeLocked()
	for i, s := range full {
		full[i] = nil
		st := s.st
		if st == nil {
			continue
		}
		if c.canSendLocked(st) == nil {
			c.emptyLocked(s, st)
		}
		c.readNoteLocked(s, st)
		slept = slept || st.sleeping
	}
	if full != nil {
		c.outboxes.spare = full[:0]
	}
	if slept {
		c.resumeLocked()
		c.makeRoomLocked()
	}
}

// emptyLocked sends what has been left on s. What there is no credit for stays
// until there is.
func (c *Conn) emptyLocked(s *Stream, st *stream) {
	o := s.outbox.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.buf), st.sendWindow.Available(), c.sendWindow.Available())
	if n > 0 {
		if _, err := c.sendSomeLocked(st, payload{data: o.buf[:n]}, false); err != nil {
			n = len(o.buf)
		}
	}
	switch {
	case len(o.buf) == 0:
	case n == len(o.buf):
		buffer.Put(o.buf)
		o.buf = nil
	default:
		o.buf = append(o.buf[:0], o.buf[max(n, 0):]...)
		st.stuck = true
		if c.sendWindow.Available() <= 0 && !st.listed {
			st.listed = true
			c.outboxes.stuck = append(c.outboxes.stuck, s)
		}
	}
}

// creditedLocked lets a stream that has got credit send what has been left.
func (c *Conn) creditedLocked(st *stream) {
	if st.stuck {
		st.stuck = false
		c.outboxes.add(st.handle, 0)
	}
}

// unstickLocked is creditedLocked for the connection's window.
func (c *Conn) unstickLocked() {
	stuck := c.outboxes.stuck
	for i, s := range stuck {
		stuck[i] = nil
		s.st.listed = false
		c.creditedLocked(s.st)
	}
	c.outboxes.stuck = stuck[:0]
}
