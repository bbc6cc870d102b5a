package http2

import (
	"slices"

	"github.com/yodelrpc/yodel/internal/buffer"
)

const (
	// exactSize is the least size of a message that gets memory of its own: what
	// it is decoded into may keep that.
	exactSize = 256 << 10
	// maxAhead bounds, on one connection, the memory for messages of which nothing
	// has come yet.
	maxAhead = 4 << 20
)

// bufferLocked adds data to what the stream has buffered. The memory grows with
// what was received, not with what a length prefix announces.
//
// It moves no bytes that a receiver is at work on, or is about to be: what does
// not fit follows them in memory of its own.
func (c *Conn) bufferLocked(st *stream, data []byte) {
	tail := st.tail()
	if n := len(*tail); cap(*tail)-n >= len(data) && !st.full() {
		if &(*tail)[:n+1][n] == &data[0] {
			*tail = (*tail)[:n+len(data)] // it was read to where it belongs
		} else {
			*tail = append(*tail, data...)
		}
		return
	}
	atWork := st.lent || (st.need > 0 && len(st.buf)-st.off >= st.need)
	switch {
	case st.full():
		c.notAheadLocked(st)
		size := c.roomLocked(st, int(st.large), len(data))
		st.more = append(st.more, append(buffer.Get(max(size, len(data))), data...))
	case len(st.more) > 0:
		grown := append(buffer.Get(grownSize(len(*tail), len(data))), *tail...)
		grown = append(grown, data...)
		c.giveLocked(*tail)
		*tail = grown
	case atWork:
		c.notAheadLocked(st)
		st.more = append(st.more, append(buffer.Get(len(data)), data...))
	default:
		c.growLocked(st, c.needLocked(st, data), len(data))
		st.buf = append(st.buf, data...)
	}
}

// tail returns the memory to which the next bytes are added.
func (st *stream) tail() *[]byte {
	if n := len(st.more); n > 0 {
		return &st.more[n-1]
	}
	return &st.buf
}

// sized takes note of the size of a message, which the next one is likely to have too.
func (st *stream) sized(size int) {
	st.large = 0
	if size >= bulkSize && size < exactSize {
		st.large = uint32(size)
	}
}

// full tells whether the tail holds a whole large message. The next one would have to be
// moved when its end comes, and gets memory of its own instead.
func (st *stream) full() bool {
	size, whole := len(*st.tail()), int(st.large)
	if len(st.more) == 0 {
		size -= st.off
		if st.need > 0 {
			whole = st.need
		}
	}
	return st.large > 0 && size >= whole
}

// needLocked returns how many bytes the receiver of st waits for, or is going to,
// as far as that is known before data has been added.
func (c *Conn) needLocked(st *stream, data []byte) int {
	switch {
	case st.demand != nil && st.off == len(st.buf):
		return st.demand(data)
	case c.expect != nil && st.received == int64(len(data)) && st.slept == 0:
		return c.expect(data)
	}
	return st.need
}

// grownSize is how large a buffer with so many bytes becomes to take n more.
func grownSize(size, n int) int {
	return max(size+n, min(size+size/2, size+maxGrowth))
}

// growLocked moves the unread bytes of buf to memory with room for n more. The
// receiver needs that many bytes in all; zero is not known.
func (c *Conn) growLocked(st *stream, need, n int) {
	unread := st.buf[st.off:]
	size := grownSize(len(unread), n)
	if need > size {
		size = c.roomLocked(st, need, max(readSize, size))
	}
	exact := c.keeps && need >= exactSize && len(unread)+n <= need && size >= need
	var grown []byte
	if exact {
		grown = buffer.Make(need)
	} else {
		grown = buffer.Get(size)
	}
	grown = append(grown, unread...)
	if !st.lent {
		c.giveLocked(st.buf)
	}
	st.buf, st.off, st.exact = grown, 0, exact
}

// mergeLocked moves the first of what follows buf to it.
func (c *Conn) mergeLocked(st *stream) {
	more := st.takeMore()
	if len(st.more) == 0 {
		c.notAheadLocked(st)
	}
	c.growLocked(st, st.need, len(more))
	st.buf = append(st.buf, more...)
	c.giveLocked(more)
}

// takeMore takes the first of what follows buf.
func (st *stream) takeMore() (first []byte) {
	if len(st.more) > 0 {
		first = st.more[0]
		st.more = slices.Delete(st.more, 0, 1)
	}
	return first
}

// roomLocked returns how large a buffer to make for a message of need bytes on st:
// usual, which is in proportion to what has come, or at once
// all that the message needs, if a message of that size has come before. A peer
// that only announces messages gets nothing for it, and one that has sent one
// gets maxAhead for all that it announces.
func (c *Conn) roomLocked(st *stream, need, usual int) int {
	if ahead := need - usual; ahead > 0 && need <= c.proven && c.ahead+ahead <= maxAhead {
		st.ahead += ahead
		c.ahead += ahead
		return need
	}
	return min(need, usual)
}

// notAheadLocked takes back what roomLocked has given.
func (c *Conn) notAheadLocked(st *stream) {
	c.ahead -= st.ahead
	st.ahead = 0
}

// giveLocked gives a stream's memory back, unless the next read goes there.
func (c *Conn) giveLocked(b []byte) {
	if b != nil && !sameMemory(b, c.reader.direct) {
		buffer.Put(b)
	}
}

// sameMemory tells whether two slices, neither of which has been cut off in its
// capacity, are of the same array.
func sameMemory(a, b []byte) bool {
	return cap(a) > 0 && cap(b) > 0 && &a[:cap(a)][cap(a)-1] == &b[:cap(b)][cap(b)-1]
}

// Discard implements [transport.Stream].
func (s *Stream) Discard(n int) {
	if st := s.st; st != nil && st.held != nil {
		st.discardHeld(n)
		return
	}
	c := s.c
	c.mu.Lock()
	if s.st == nil {
		c.mu.Unlock()
		return
	}
	c.discardLocked(s, n)
	c.flush()
}

// discardLocked drops the n bytes that the receiver is through with. What it leaves
// pending must be flushed.
func (c *Conn) discardLocked(s *Stream, n int) {
	st := s.st
	if st.buf == nil {
		st.lent = false
		return
	}
	n = min(n, len(st.buf)-st.off)
	st.off += n
	if st.off == len(st.buf) {
		if st.exact {
			c.keeps = false
		}
		c.giveLocked(st.buf)
		st.buf = nil
	}
	c.discardedLocked(st, n)
}

// discardedLocked takes note that n bytes are no longer buffered.
func (c *Conn) discardedLocked(st *stream, n int) {
	st.lent = false
	if st.buf == nil {
		st.buf = st.takeMore()
		st.off, st.exact = 0, false
		if st.buf == nil {
			c.notAheadLocked(st)
		}
	}
	if u := min(n, st.unread); u > 0 {
		st.unread -= u
		c.readLocked(u)
	}
	if st.state.CanReceive() && c.err == nil {
		c.updateLocked(st, st.window.Release(n))
	}
	c.deliveredLocked()
}

// Keep implements [transport.Stream].
func (s *Stream) Keep(n int) bool {
	c := s.c
	c.mu.Lock()
	st := s.st
	if st == nil || st.buf == nil {
		c.mu.Unlock()
		return false
	}
	c.keeps = true // so the next ones are made for it
	if !st.exact || st.off > 0 || n != len(st.buf) {
		c.mu.Unlock()
		return false
	}
	st.buf, st.exact = nil, false
	c.discardedLocked(st, n)
	c.flush()
	return true
}

// dropBufferedLocked throws away what the stream has buffered.
func (c *Conn) dropBufferedLocked(st *stream) {
	for _, more := range st.more {
		c.giveLocked(more)
	}
	if !st.lent {
		c.giveLocked(st.buf)
	}
	st.buf, st.off, st.more, st.exact = nil, 0, nil, false
	c.notAheadLocked(st)
	if st.unread > 0 {
		u := st.unread
		st.unread = 0
		c.readLocked(u)
	}
}
