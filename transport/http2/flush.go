package http2

import (
	"errors"
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
	// leaveSize is how many pending bytes may be left to those who have been woken,
	// and are likely to send more: beyond it, the peer could be at work meanwhile.
	leaveSize = 2 << 10
	// maxGrowth is how much more than needed a stream's buffer takes when it
	// grows, so that small frames do not copy it again and again.
	maxGrowth = 1 << 20
	// maxRounds is how many times a flusher that works for others writes before
	// it hands the work to a goroutine of its own.
	maxRounds = 8
)

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
	if c.turn || c.corked || c.workerComesLocked() || (c.out.size() < leaveSize && c.wave.hold()) {
		// The reader flushes after its turn, a worker after its streams, the last
		// of the callers who have been woken for the end of their calls when it
		// closes its stream, since many of them make another call first, and the
		// last of other receivers who have been woken when it runs.
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
	if c.flushing || c.turn || c.corked || !c.pendingLocked() {
		c.mu.Unlock()
		return
	}
	c.startFlusherLocked(c.crowdedLocked())
	c.mu.Unlock()
}

func (c *Conn) startFlusherLocked(yield bool) {
	c.flushing = true
	c.wave.gathering.Store(true)
	go func() {
		if yield {
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
	if c.flushing || !c.pendingLocked() {
		c.finishLocked()
		c.mu.Unlock()
		return
	}
	c.flushing = true
	c.wave.gathering.Store(true)
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
		n, err := c.raw.write(&c.writing, false)
		c.writing.done = n
		if err == nil && n < c.writing.size() {
			go c.finishWrite()
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
		c.wrote(c.write())
	}
}

// finishWrite writes what the socket did not take at once, and then what has
// come since. Its goroutine ends then, or with the connection.
func (c *Conn) finishWrite() {
	c.wrote(c.write())
	c.writeAll()
}

// nextPending takes everything pending for a write. If there is nothing, the
// flusher's work is done.
func (c *Conn) nextPending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wave.gathering.Store(false)
	c.wave.heldBack.Store(false)
	c.gatherLocked()
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
	replies := c.writing.replies
	c.mu.Lock()
	c.writing.reset()
	c.written = c.taken
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

// write writes all there is, however long the peer takes to read it, as long as
// some gets through within every StallTimeout.
func (c *Conn) write() error {
	var room []byte
	if c.raw == nil && len(c.writing.refs) > 0 {
		room = buffer.Get(chunkSize)
		room = room[:cap(room)]
		defer buffer.Put(room)
	}
	size := c.writing.size()
	for before := -1; ; {
		if before < 0 {
			before = c.writing.done
			c.setWriteDeadline(c.cfg.StallTimeout)
		}
		n, err := c.writeSome(room)
		c.writing.done += n
		switch {
		case c.writing.done == size && err == nil:
			c.setWriteDeadline(0) // or it would end writes that do not wait
			return nil
		case err == nil:
		case c.writing.done > before && errors.Is(err, os.ErrDeadlineExceeded):
			before = -1
		default:
			return err
		}
	}
}

// chunkSize is how much is written at once to what is no plain socket, if it must
// be copied for that.
const chunkSize = 32 << 10

// writeSome waits until some of what there is can be written, and writes it. room
// is for what is not the connection's own, where a write may take long: who sent
// it can take it back (see disownLocked).
func (c *Conn) writeSome(room []byte) (int, error) {
	switch {
	case c.raw != nil:
		return c.raw.write(&c.writing, true)
	case room == nil:
		return c.nc.Write(c.writing.bytes[c.writing.done:])
	}
	c.refs.Lock()
	n := c.writing.copyTo(room)
	c.refs.Unlock()
	return c.nc.Write(room[:n])
}

// disownLocked ends the connection's references to what is sent on a stream,
// because its sender stops waiting: what has not been written is copied. It
// releases the lock for a moment.
func (c *Conn) disownLocked(id uint32) {
	c.mu.Unlock()
	c.refs.Lock() // no longer than a system call
	defer c.refs.Unlock()
	c.mu.Lock()
	c.out.own(id)
	c.writing.own(id)
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
