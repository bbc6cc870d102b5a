package http2

import (
	"slices"
	"sync"

	"github.com/yodelrpc/yodel/internal/buffer"
)

// outboxSize is how much a stream's outbox takes: less than what is sent by
// reference.
const outboxSize = refSize - 1

// outbox is where a stream's sender leaves small messages that follow each other,
// without the connection's lock. Whoever flushes takes them along.
type outbox struct {
	mu sync.Mutex // may be taken with Conn.mu, which must not be taken with it
	// buf is what has been left, as far as it has not been taken.
	buf []byte
	// open tells that more may follow: the last thing that was sent is data.
	open bool
}

// outboxes are the streams that have left something for the flusher. Conn.mu
// guards them.
type outboxes struct {
	// full have something that may be sent.
	full []*Stream
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
	first := len(o.buf) == 0
	if first {
		o.buf = buffer.Get(outboxSize)
	}
	o.buf = append(o.buf, data...)
	o.mu.Unlock()
	if first {
		s.c.mu.Lock()
		s.c.outboxes.full = append(s.c.outboxes.full, s)
		s.c.flushSoon()
	}
	return true
}

// openOutboxLocked lets the sender of s leave what follows.
func (s *Stream) openOutboxLocked() {
	o := s.outbox.Load()
	if o == nil {
		o = &outbox{}
		s.outbox.Store(o)
	}
	o.mu.Lock()
	o.open = true
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
	o.buf, o.open = nil, false
	return left
}

// dropOutboxLocked throws away what has been left on a stream that has ended.
func (c *Conn) dropOutboxLocked(st *stream) {
	if left := st.handle.shutOutboxLocked(); left != nil {
		buffer.Put(left)
	}
	if st.listed {
		st.listed = false
		c.outboxes.stuck = slices.DeleteFunc(c.outboxes.stuck, func(other *Stream) bool { return other == st.handle })
	}
}

// pendingLocked tells whether there is something to be written.
func (c *Conn) pendingLocked() bool { return c.out.any() || len(c.outboxes.full) > 0 }

// gatherLocked takes what has been left, as far as flow control allows.
func (c *Conn) gatherLocked() {
	full := c.outboxes.full
	for i, s := range full {
		full[i] = nil
		if st := s.st; st != nil && c.canSendLocked(st) == nil {
			c.emptyLocked(s, st)
		}
	}
	c.outboxes.full = full[:0]
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
		c.outboxes.full = append(c.outboxes.full, st.handle)
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
