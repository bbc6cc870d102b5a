package http2

import (
	"errors"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/h2"
)

const (
	// frameRoom is enough for any frame without a variable payload.
	frameRoom = 32
	// refSize is the least size of data that is written by reference instead
	// of being copied into the pending bytes.
	refSize = 8 << 10
	// maxRounds is how many times a flusher that works for others writes before
	// it hands the work to a goroutine of its own.
	maxRounds = 8
	// forever is for a goroutine that has nothing else to do.
	forever = 1 << 62
)

// pending is what waits to be written, in order: bytes, with pieces of callers'
// memory in between.
type pending struct {
	bytes []byte
	refs  []ref
	large int // bytes in refs

	replies replyCount
}

// replyCount is how many frames, and bytes of them, the peer provoked.
type replyCount struct{ frames, bytes int }

// ref is a piece of a caller's memory. It goes before pending.bytes[at:].
type ref struct {
	at   int
	data []byte
}

func (p *pending) any() bool { return len(p.bytes) > 0 || len(p.refs) > 0 }

func (p *pending) size() int { return len(p.bytes) + p.large }

func (p *pending) reset() {
	if p.bytes != nil {
		buffer.Put(p.bytes)
	}
	*p = pending{}
}

// buffers lists the pieces in order.
func (p *pending) buffers() net.Buffers {
	all := make(net.Buffers, 0, 2*len(p.refs)+1)
	start := 0
	for _, r := range p.refs {
		if r.at > start {
			all = append(all, p.bytes[start:r.at])
			start = r.at
		}
		all = append(all, r.data)
	}
	if start < len(p.bytes) {
		all = append(all, p.bytes[start:])
	}
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
	if c.flushing || c.turn || !c.out.any() {
		c.finishLocked()
		c.mu.Unlock()
		return
	}
	c.flushing = true
	crowded := len(c.streams) > 1
	c.mu.Unlock()
	if crowded {
		runtime.Gosched()
	}
	if !c.writeAll(maxRounds) {
		go c.writeAll(forever)
	}
}

// writeAll writes until nothing is pending, for so many rounds at most, and
// reports whether it is done. It is called by the flusher, and without the
// lock. When a goroutine runs it, the goroutine ends with the pending bytes or
// with the connection.
func (c *Conn) writeAll(rounds int) (done bool) {
	for {
		c.mu.Lock()
		if !c.out.any() {
			c.flushing = false
			c.afterFlushLocked()
			c.finishLocked()
			c.mu.Unlock()
			return true
		}
		if rounds == 0 {
			c.mu.Unlock()
			return false
		}
		rounds--
		p := c.takePendingLocked()
		c.mu.Unlock()
		err := c.write(&p)
		c.wrote(&p, err)
	}
}

// takePendingLocked takes everything pending for a write.
func (c *Conn) takePendingLocked() pending {
	p := c.out
	c.out = pending{}
	c.taken += uint64(p.size())
	p.replies, c.outReplies = c.outReplies, replyCount{}
	return p
}

// flushFromReader writes what is pending as far as the socket takes it, and
// leaves the rest to a goroutine: the reader must never wait for the peer to
// read, or two loaded ends could wait for one another. It is called with the
// lock held, and releases it.
func (c *Conn) flushFromReader() {
	if c.flushing || !c.out.any() {
		c.finishLocked()
		c.mu.Unlock()
		return
	}
	c.flushing = true
	if c.raw == nil || len(c.out.refs) > 0 {
		c.mu.Unlock()
		go c.writeAll(forever)
		return
	}
	p := c.takePendingLocked()
	c.mu.Unlock()
	n, err := c.raw.tryWrite(p.bytes)
	if err == nil && n < len(p.bytes) {
		go c.finishWrite(p, n)
		return
	}
	c.wrote(&p, err)
	c.mu.Lock()
	if c.out.any() {
		c.mu.Unlock()
		go c.writeAll(forever)
		return
	}
	c.flushing = false
	c.afterFlushLocked()
	c.finishLocked()
	c.mu.Unlock()
}

// finishWrite writes what the socket did not take at once, and then what has
// come since. Its goroutine ends with the pending bytes or with the connection.
func (c *Conn) finishWrite(p pending, n int) {
	err := c.writeBytes(p.bytes[n:])
	c.wrote(&p, err)
	c.writeAll(forever)
}

// wrote takes note of a write's end.
func (c *Conn) wrote(p *pending, err error) {
	written := uint64(p.size())
	replies := p.replies
	p.reset()
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

// afterFlushLocked acts on an empty queue of a connection that has failed: what
// there was to say is said.
func (c *Conn) afterFlushLocked() {
	if c.err == nil || c.finished {
		return
	}
	half, ok := c.nc.(interface{ CloseWrite() error })
	if c.role == h2.Server && ok && c.readerUp {
		_ = half.CloseWrite() // the reader lingers, so that no TCP reset overtakes the last frames
		return
	}
	_ = c.nc.Close()
}

// write writes p, however long the peer takes to read it, as long as some bytes
// get through within every StallTimeout.
func (c *Conn) write(p *pending) error {
	if len(p.refs) == 0 {
		return c.writeBytes(p.bytes)
	}
	all := p.buffers()
	for {
		c.extendDeadline(false)
		n, err := all.WriteTo(c.nc) // consumes what it writes
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		c.extendDeadline(true)
	}
}

func (c *Conn) writeBytes(b []byte) error {
	for {
		c.extendDeadline(false)
		n, err := c.nc.Write(b)
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		b = b[n:]
		c.extendDeadline(true)
	}
}

// extendDeadline moves the write deadline ahead. Moving it costs more than a
// small write, so it is done once in a while: the peer has between one and two
// StallTimeouts.
func (c *Conn) extendDeadline(now bool) {
	limit := c.cfg.StallTimeout
	if limit < 0 {
		return
	}
	t := time.Now()
	if !now && t.Sub(c.lastSet) < limit {
		return
	}
	c.mu.Lock()
	if c.err == nil {
		c.lastSet = t
		_ = c.nc.SetWriteDeadline(t.Add(2 * limit))
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
