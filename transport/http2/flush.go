package http2

import (
	"errors"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/yodelrpc/yodel/internal/buffer"
)

const (
	// frameRoom is enough for any frame without a variable payload.
	frameRoom = 32
	// refSize is the least size of data that is written by reference instead
	// of being copied into the pending bytes.
	refSize = 8 << 10
	// leaveSize is how many pending bytes may be left to callers that are about
	// to return: beyond it, the peer could be at work meanwhile.
	leaveSize = 2 << 10
	// maxGrowth is how much more than needed a stream's buffer takes when it
	// grows, so that small frames do not copy it again and again.
	maxGrowth = 1 << 20
	// maxRounds is how many times a flusher that works for others writes before
	// it hands the work to a goroutine of its own.
	maxRounds = 8
)

// pending is what waits to be written, in order: bytes, with pieces of callers'
// memory in between.
type pending struct {
	bytes []byte
	refs  []ref
	large int // bytes in refs
	tail  tail

	replies replyCount
}

// replyCount is how many frames, and bytes of them, the peer provoked.
type replyCount struct{ frames, bytes int }

// ref is a piece of a caller's memory. It goes before pending.bytes[at:].
type ref struct {
	at   int
	data []byte
}

// tail is the DATA frame at the end of the bytes: more data of the same stream
// makes it longer instead of following in a frame of its own.
type tail struct {
	id         uint32 // zero if there is none
	start, end int    // in bytes, with the frame's head
}

func (p *pending) any() bool { return len(p.bytes) > 0 || len(p.refs) > 0 }

func (p *pending) size() int { return len(p.bytes) + p.large }

func (p *pending) reset() {
	if p.bytes != nil {
		buffer.Put(p.bytes)
	}
	clear(p.refs)
	*p = pending{refs: p.refs[:0]}
}

// each calls f with the pieces in order, until f returns false.
func (p *pending) each(f func([]byte) bool) {
	start := 0
	for _, r := range p.refs {
		if r.at > start && !f(p.bytes[start:r.at]) {
			return
		}
		start = r.at
		if !f(r.data) {
			return
		}
	}
	if start < len(p.bytes) {
		f(p.bytes[start:])
	}
}

// buffers lists the pieces in order.
func (p *pending) buffers() net.Buffers {
	all := make(net.Buffers, 0, 2*len(p.refs)+1)
	p.each(func(b []byte) bool {
		all = append(all, b)
		return true
	})
	return all
}

// room returns the pending bytes with room for n more; what is appended must be
// stored back.
func (c *Conn) room(n int) []byte {
	b := c.out.bytes
	if cap(b)-len(b) >= n {
		return b
	}
	grown := buffer.Grow(b, max(n, 1024))
	if b != nil {
		buffer.Put(b)
	}
	return grown
}

// flush sees to it that everything pending is written, by this goroutine or by
// the one that is at it. It is called with the lock held, and releases it.
//
// Yielding once before the write lets the frames of callers that are ready to
// run leave in the same write: the largest single gain in throughput.
func (c *Conn) flush() {
	if c.turn || c.corked || c.workerComesLocked() || (c.returning > 0 && c.out.size() < leaveSize) {
		// The reader flushes after its turn, a worker after its streams, and the
		// last of the callers who have been woken for the end of their calls,
		// when it closes its stream: many of them make another call first.
		c.mu.Unlock()
		return
	}
	c.flushNow(c.crowdedLocked())
}

// crowdedLocked tells whether others than the caller may be about to send.
func (c *Conn) crowdedLocked() bool { return c.streams.len()-c.sleepers > 1 }

// flushSoon is flush for one of several messages: its caller may be about to
// send the next one, so a goroutine writes, and takes along what has come until
// it runs. It ends when nothing is pending, or with the connection.
func (c *Conn) flushSoon() {
	if c.flushing || c.turn || c.corked || !c.out.any() {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	crowded := c.crowdedLocked()
	c.mu.Unlock()
	go func() {
		if crowded {
			runtime.Gosched()
		}
		c.writeRounds()
	}()
}

// flushNow is flush without regard to the reader's turn. Nobody waits for the
// socket here: a caller's context could not end that, and two loaded ends whose
// readers waited for each other would wait for ever. What the socket does not
// take at once is left to a goroutine.
func (c *Conn) flushNow(yield bool) {
	if c.flushing || !c.out.any() {
		c.finishLocked()
		c.mu.Unlock()
		return
	}
	c.flushing = true
	c.mu.Unlock()
	if c.raw == nil {
		go c.writeAllSoon(yield)
		return
	}
	if yield {
		runtime.Gosched()
	}
	c.writeRounds()
}

// writeRounds writes what the socket takes without waiting, and leaves the rest
// to a goroutine.
func (c *Conn) writeRounds() {
	for range maxRounds {
		if c.raw == nil {
			break
		}
		if !c.nextPending() {
			return
		}
		n, err := c.raw.tryWrite(&c.writing)
		if err == nil && n < c.writing.size() {
			go c.finishWrite(n)
			return
		}
		c.wrote(err)
	}
	go c.writeAll()
}

// writeAllSoon is writeAll by a goroutine of its own, which would run before all
// others that are ready to.
func (c *Conn) writeAllSoon(yield bool) {
	if yield {
		runtime.Gosched()
	}
	c.writeAll()
}

// writeAll writes until nothing is pending. Its goroutine ends then, or with the
// connection.
func (c *Conn) writeAll() {
	for c.nextPending() {
		c.wrote(c.write(0))
	}
}

// finishWrite writes what the socket did not take at once, and then what has
// come since. Its goroutine ends then, or with the connection.
func (c *Conn) finishWrite(n int) {
	c.wrote(c.write(n))
	c.writeAll()
}

// nextPending takes everything pending for a write. If there is nothing, the
// flusher's work is done.
func (c *Conn) nextPending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.out.any() {
		if c.err != nil && !c.finished {
			c.mu.Unlock()
			c.afterLastWrite()
			c.mu.Lock()
		}
		c.flushing = false
		c.finishLocked()
		return false
	}
	refs := c.writing.refs // empty, its memory is used again
	c.writing, c.out = c.out, pending{refs: refs}
	c.taken += uint64(c.writing.size())
	c.writing.replies, c.outReplies = c.outReplies, replyCount{}
	return true
}

// wrote takes note of the end of a write.
func (c *Conn) wrote(err error) {
	written := uint64(c.writing.size())
	replies := c.writing.replies
	c.writing.reset()
	c.mu.Lock()
	c.written += written
	c.replies.Written(replies.frames, replies.bytes)
	c.wakeFlushWaitersLocked()
	if err != nil {
		c.out.reset()
		c.failLocked(0, lostError(err))
	}
	c.mu.Unlock()
}

// afterLastWrite closes a connection that has failed: what there was to say is
// said. Closing may take a while over TLS, so it is done without the lock.
func (c *Conn) afterLastWrite() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if c.lingers() && ok {
		_ = half.CloseWrite() // the reader lingers, so that no TCP reset overtakes the last frames
		return
	}
	_ = c.nc.Close()
}

// write writes all but the first n bytes, however long the peer takes to read
// them, as long as some get through within every StallTimeout.
func (c *Conn) write(n int) error {
	rest := c.writing.buffers()
	skip(&rest, n)
	for {
		c.setWriteDeadline(c.cfg.StallTimeout)
		var n int64
		var err error
		if len(rest) == 1 {
			var written int
			written, err = c.nc.Write(rest[0])
			n = int64(written)
			rest[0] = rest[0][written:]
		} else {
			n, err = rest.WriteTo(c.nc) // consumes what it writes
		}
		if err == nil {
			c.setWriteDeadline(0) // or it would end writes that do not wait
			return nil
		}
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// skip drops the first n bytes of all.
func skip(all *net.Buffers, n int) {
	for n > 0 {
		first := (*all)[0]
		if n < len(first) {
			(*all)[0] = first[n:]
			return
		}
		n -= len(first)
		*all = (*all)[1:]
	}
}

// setWriteDeadline bounds the next write; zero or less lifts the bound. It leaves
// the deadline of a connection that failed alone.
func (c *Conn) setWriteDeadline(limit time.Duration) {
	var at time.Time
	if limit > 0 {
		at = time.Now().Add(limit)
	}
	c.mu.Lock()
	if c.err == nil {
		_ = c.nc.SetWriteDeadline(at)
	}
	c.mu.Unlock()
}

// flushWaiter waits until so many bytes have been written in all.
type flushWaiter struct {
	target uint64
	wake   chan struct{}
}

// queuedLocked is how many bytes have been handed over for writing in all.
func (c *Conn) queuedLocked() uint64 { return c.taken + uint64(c.out.size()) }

func (c *Conn) wakeFlushWaitersLocked() {
	kept := c.flushWaiters[:0]
	for _, w := range c.flushWaiters {
		if c.err != nil || w.target <= c.written {
			close(w.wake)
		} else {
			kept = append(kept, w)
		}
	}
	clear(c.flushWaiters[len(kept):])
	c.flushWaiters = kept
}
