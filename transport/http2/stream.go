package http2

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// Stream is one stream as its user holds it. It implements [transport.Stream].
//
// A Stream is made anew for each call, while the state behind it is used again
// by later streams: after Close, a Stream reaches nothing. Those whose users promise
// not to touch them then (transport.Outgoing.AwaitsEnd and Close) are used again, too.
type Stream struct {
	c  *Conn
	st *stream // nil after Close; guarded by c.mu
	// header and trailer are the peer's; nil until they have come. Streams may
	// share them.
	header, trailer *transport.Header

	// What Await has seen, for the receiver to ask without the lock: these are
	// its own.
	sawHeader, sawEnd, sawTrailer bool

	// released tells that a server's user does not touch it after its handler
	// (transport.Outgoing.Close). Conn.mu guards it.
	released bool

	// given tells what a receiver that has been woken gets without taking the lock
	// again.
	given atomic.Uint32

	// outbox is nil until several messages have followed each other, in one direction
	// or to and fro.
	outbox atomic.Pointer[outbox]
}

var _ transport.Stream = (*Stream)(nil)

// What a receiver that has been woken gets.
const (
	nothing = iota // it must look itself
	message        // what it has been handed
	theEnd         // all that there is, and nothing changes any more
)

var errClosed = errors.New("the stream is closed")

// stream is a stream's state, guarded by Conn.mu. There may be very many: what is small
// is together.
type stream struct {
	handle *Stream
	// err is why the stream ended early.
	err   error
	id    uint32
	state h2.State
	reset bool // this side sent RST_STREAM

	// Receiving.
	gotHeader, gotTrailer, ended bool
	lent                         bool   // the reader of buf[off:] is at work on it
	exact                        bool   // buf was made for one message, which may keep it
	awaitsEnd                    bool   // see transport.Outgoing
	returning                    bool   // counted in Conn.wave
	resuming                     bool   // the same
	sleeping                     bool   // Await or Header wait for wake
	oneWay                       bool   // the receiver has not sent since its last message
	large                        uint32 // the last message's size, if bulkSize or more and less than exactSize; else 0
	// Sending.
	sentHeader  bool
	sendWaiting bool // Send waits for sendWake
	blocked     bool // listed in Conn.blocked
	stuck       bool // what is in the outbox waits for credit
	listed      bool // in outboxes.stuck
	ordered     bool // the caller waits for order; it is the caller's

	contentLength int64 // -1 if not announced
	received      int64 // payload bytes
	buf           []byte
	off           int      // buf[off:] is unread
	more          [][]byte // what follows buf: of large messages each its own
	window        h2.RecvWindow
	unread        int   // bytes counted in Conn.unread
	ahead         int   // counted in Conn.ahead
	usedUp        int64 // what had been received when the window was last used up
	demand        transport.Demand
	need          int
	slept         int // how often Await and Header have waited
	wake          *waiter

	// What the receiver has been handed is its own: held[heldOff:] is unread. due is
	// how much it has read that is still in the books.
	held    []byte
	heldOff int
	due     int

	burst      int // messages since something was received
	sendWindow h2.SendWindow
	sendWake   *waiter
	// order is what the caller has left to be sent, until the stream is opened.
	order *transport.Outgoing

	headerSize int // counted in Conn.headerSize
	inside     int // goroutines that sleep in a method
	watcher    transport.Watcher

	own Stream // the handle, if nobody touches it after Close
}

// holds makes s the handle of st.
func (s *Stream) holds(c *Conn, st *stream) { s.c, s.st, st.handle = c, st, s }

// enterLocked puts a stream in the books.
func (c *Conn) enterLocked(st *stream, id uint32) {
	st.id = id
	st.contentLength = -1
	st.sendWindow = h2.NewSendWindow(c.peer.InitialWindowSize)
	st.window = h2.NewRecvWindow(c.streamSize)
	c.streams.put(st)
	c.keptAliveLocked()
}

// recycleLocked takes back the core of a stream that its user has closed.
func (c *Conn) recycleLocked(st *stream) {
	c.dropBufferedLocked(st)
	buffer.Put(st.held)
	c.orders.recycle(st, c.role == h2.Client)
}

// Conn implements [transport.Stream].
func (s *Stream) Conn() transport.Conn { return s.c }

// Watch implements [transport.Stream].
func (s *Stream) Watch(w transport.Watcher) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	st := s.st
	if st == nil {
		return nil
	}
	if st.err == nil {
		st.watcher = w
	}
	return st.err
}

// Header implements [transport.Stream].
func (s *Stream) Header(ctx context.Context) (*transport.Header, error) {
	if s.sawHeader {
		return s.header, nil
	}
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		st := s.st
		switch {
		case st == nil:
			return nil, errClosed
		case st.gotHeader:
			return s.header, nil
		case st.err != nil:
			return nil, st.err
		}
		err := c.sleepLocked(ctx, st)
		c.mu.Lock()
		if err := c.awakenedLocked(s, st, err); err != nil {
			return nil, err
		}
	}
}

// Trailer implements [transport.Stream].
func (s *Stream) Trailer() *transport.Header {
	if s.sawEnd && s.sawTrailer {
		return s.trailer
	}
	return nil
}

// Await implements [transport.Stream].
func (s *Stream) Await(ctx context.Context, demand transport.Demand) ([]byte, bool, error) {
	if st := s.st; st != nil && st.ordered {
		buffered, ended, err := s.awaitOrder(ctx, st)
		if buffered != nil || ended || err != nil {
			return buffered, ended, err
		}
	} else if w := s.leaveNote(demand); w == nil {
		s.c.mu.Lock()
	} else if passed, err := s.waitUnlocked(ctx, w); passed != nil || err != nil {
		return passed, false, err
	}
	return s.awaitLocked(ctx, demand)
}

// awaitLocked is Await with the lock, which it releases.
func (s *Stream) awaitLocked(ctx context.Context, demand transport.Demand) ([]byte, bool, error) {
	c := s.c
	told := false
	if st := s.st; st != nil {
		st.oneWay = st.burst == 0 && st.slept > 0
		st.burst = 0
		s.pauseOutboxLocked()
		told = c.settleLocked(st)
	}
	for {
		st := s.st
		if st == nil || st.err != nil {
			err := errClosed
			if st != nil {
				err = st.err
			}
			c.mu.Unlock()
			return nil, false, err
		}
		buffered := st.buf[st.off:]
		ended := st.ended && len(st.more) == 0
		need := 0
		if !ended || len(buffered) >= bulkSize {
			need = demand(buffered)
		}
		if len(buffered) < need && len(st.more) > 0 {
			c.mergeLocked(st)
			continue
		}
		if ended || len(buffered) >= need {
			told = c.enlargeLocked(len(buffered)) || told
			st.sized(need)
			c.seenLocked(st, need, len(buffered), ended)
			st.lent = !c.handLocked(st) && len(buffered) > 0
			if told {
				c.flush()
			} else {
				c.mu.Unlock()
			}
			return buffered, ended, nil
		}
		st.demand = demand
		c.demandLocked(st, need)
		err := c.sleepLocked(ctx, st)
		if given := s.given.Load(); err == nil && given == message {
			return s.passed(), false, nil
		} else if err == nil && given == theEnd {
			return st.buf[st.off:], true, nil
		}
		c.mu.Lock()
		if err = c.awakenedLocked(s, st, err); err != nil {
			c.mu.Unlock()
			return nil, false, err
		}
	}
}

// seenLocked notes that the receiver of st, which needs so many bytes, has got size.
func (c *Conn) seenLocked(st *stream, need, size int, ended bool) {
	c.proven = max(c.proven, min(need, size+1))
	if st.need > 0 {
		st.demand, st.need = nil, 0
		st.window.Demand(0)
	}
	s := st.handle
	s.sawHeader, s.sawEnd, s.sawTrailer = st.gotHeader, ended, st.gotTrailer
}

// quickSize is the largest message that is decoded in no time.
const quickSize = 4 << 10

// deliverLocked gives the receiver of an ended stream, which is about to be
// woken, all that it waits for. Nobody else closes its stream (see
// transport.Outgoing.AwaitsEnd).
func (c *Conn) deliverLocked(st *stream) {
	s := st.handle
	for len(st.more) > 0 {
		c.mergeLocked(st)
	}
	size := len(st.buf) - st.off
	c.proven = max(c.proven, size+1)
	c.enlargeLocked(size)
	st.lent = size > 0
	s.sawHeader, s.sawEnd, s.sawTrailer = st.gotHeader, true, st.gotTrailer
	st.inside--
	if size <= quickSize {
		st.returning = true
		c.wave.returning.Add(1)
	}
	s.given.Store(theEnd)
}

// sleepsLocked notes that the receiver waits.
func (c *Conn) sleepsLocked(st *stream) {
	st.sleeping = true
	st.slept++
	c.sleepers++
	st.inside++
}

// sleepLocked waits until something happens to the stream's receiving side, or
// ctx ends, and releases the lock. Whatever it returns, awakenedLocked must be
// called, unless the stream has been given something.
func (c *Conn) sleepLocked(ctx context.Context, st *stream) error {
	c.sleepsLocked(st)
	if st.wake == nil {
		st.wake = c.waiters.take()
	}
	w := st.wake
	w.state.Store(waiting)
	if st == c.reading.lent {
		c.handOverLocked()
	}
	claimed := c.claimLocked(st)
	c.makeRoomLocked()
	c.flush()
	if claimed {
		c.lead(st)
	}
	err := w.wait(ctx)
	w.leave(&c.chain)
	return err
}

// awakenedLocked ends what sleepLocked has begun. err is why nothing more is
// waited for, and is returned: it resets the stream.
func (c *Conn) awakenedLocked(s *Stream, st *stream, err error) error {
	switch s.given.Load() {
	case nothing:
		st.inside--
	case message:
		s.given.Store(nothing)
		st.resuming = true
	}
	c.waiters.give(st.wake)
	st.wake = nil
	if st.resuming {
		st.resuming = false
		if c.wave.resumed() {
			c.endWaveLocked()
		}
	}
	c.awakeLocked(st)
	if err == nil {
		return nil
	}
	if st.err == nil {
		c.resetLocked(st, transport.ReasonCanceled, err)
		c.flush() // the peer is to know at once
		c.mu.Lock()
	}
	return err
}

// awakeLocked notes that the receiver waits no more; false if it did not.
func (c *Conn) awakeLocked(st *stream) bool {
	if !st.sleeping {
		return false
	}
	st.sleeping = false
	c.sleepers--
	return true
}

// wakeLocked wakes whoever waits to receive.
func (c *Conn) wakeLocked(st *stream) {
	if c.awakeLocked(st) {
		st.wake.wake()
	}
}

// wakeSenderLocked wakes whoever waits to send.
func (st *stream) wakeSenderLocked() {
	if st.sendWaiting {
		st.sendWaiting = false
		st.sendWake.wake()
	}
}

// demandLocked notes that somebody waits for need bytes, and lets the peer send
// them even if they are more than the window (the message is going to be
// buffered whole anyway).
func (c *Conn) demandLocked(st *stream, need int) {
	st.need = need
	if st.unread > 0 {
		c.readLocked(st.unread)
		st.unread = 0
	}
	if st.state.CanReceive() {
		c.starvedLocked(st)
		c.updateLocked(st, st.window.Demand(need-(len(st.buf)-st.off)))
	}
}

// readLocked takes n bytes out of the count of the unread.
func (c *Conn) readLocked(n int) {
	c.unread -= n
	c.creditLocked()
}

// creditLocked gives what was received back to the connection's window, as long
// as not too much of it lies unread: one slow stream does not hold up the
// others, and many slow streams do not fill the memory.
func (c *Conn) creditLocked() {
	held := c.recvWindow.Held()
	if held == 0 || c.unread >= c.cfg.MaxUnread {
		return
	}
	if inc := c.recvWindow.Release(held); inc > 0 && c.err == nil {
		c.out.bytes = frame.AppendWindowUpdate(c.room(frameRoom), 0, inc)
	}
}

// deliveredLocked says that a message has arrived whole.
func (c *Conn) deliveredLocked() {
	if c.budget != nil {
		c.budget.Delivered()
	}
}

// updateLocked tells the peer of credit on a stream, if there is any.
func (c *Conn) updateLocked(st *stream, increment uint32) {
	if increment > 0 && c.err == nil {
		c.out.bytes = frame.AppendWindowUpdate(c.room(frameRoom), st.id, increment)
	}
}

// Reset implements [transport.Stream].
func (s *Stream) Reset(reason transport.Reason) {
	c := s.c
	c.mu.Lock()
	if st := s.st; st != nil && st.err == nil {
		c.resetLocked(st, reason, nil)
	}
	c.flush()
}

// resetLocked ends a stream from this side. cause may be nil.
func (c *Conn) resetLocked(st *stream, reason transport.Reason, cause error) {
	if st.state != h2.Closed {
		c.resetStreamLocked(st, codeOf(reason))
	}
	c.endEarlyLocked(st, &transport.Error{
		Initiator: transport.User,
		Reason:    reason,
		Sent:      true,
		Err:       cause,
	})
	c.tellSoonLocked()
}

// resetStreamLocked sends RST_STREAM for a stream in the books.
func (c *Conn) resetStreamLocked(st *stream, code frame.Code) {
	st.reset = true
	c.appendReset(st.id, code)
}

// appendReset sends RST_STREAM and remembers that frames on the way to this
// stream are no fault of the peer.
func (c *Conn) appendReset(id uint32, code frame.Code) {
	if c.err == nil {
		c.ids.Closed(id, true)
		c.out.bytes = frame.AppendRSTStream(c.room(frameRoom), id, code)
	}
}

// endEarlyLocked ends a stream with an error, whoever caused it. What was
// received before is lost, unless the peer had finished normally: then its
// answer stands, and only sending is over.
func (c *Conn) endEarlyLocked(st *stream, err error) {
	if st.err == nil && !(st.ended && c.role == h2.Client) {
		st.err = err
	}
	if st.watcher != nil && c.role == h2.Server {
		c.tellLocked(st.watcher, err)
		st.watcher = nil
	}
	st.state = h2.Closed
	c.forgetLocked(st)
	c.dropOutboxLocked(st)
	if st.err != nil {
		c.dropBufferedLocked(st) // nobody can get at it any more
	}
	c.wakeLocked(st)
	st.wakeSenderLocked()
}

// findLocked returns the stream with an id; nil if there is none. The frames of
// one often follow each other.
func (c *Conn) findLocked(id uint32) *stream {
	if st := c.found; st != nil && st.id == id {
		return st
	}
	st := c.streams.get(id)
	c.found = st
	return st
}

// forgetLocked takes a closed stream out of the connection's books.
func (c *Conn) forgetLocked(st *stream) {
	if !c.streams.remove(st) {
		return
	}
	if c.found == st {
		c.found = nil
	}
	if !st.reset {
		c.ids.Closed(st.id, false)
	}
	if c.role == h2.Client {
		c.active--
		c.wakeOpeningsLocked()
	}
	switch {
	case c.streams.len() > 0:
	case c.draining != nil:
		c.drainedLocked()
	default:
		c.idleLocked()
	}
}

// forgetHeaderLocked takes the memory of a header section that nobody needs any
// more out of the count.
func (c *Conn) forgetHeaderLocked(st *stream) {
	c.headerSize -= st.headerSize
	st.headerSize = 0
}

// Close implements [transport.Stream].
func (s *Stream) Close() {
	c := s.c
	if s.given.Load() == theEnd && s.leaveClosed() {
		return
	}
	c.mu.Lock()
	st := s.st
	if st == nil {
		c.mu.Unlock()
		return
	}
	c.closeLocked(s, st)
	c.flush()
}

// closeLocked is Close without the flush that must follow.
func (c *Conn) closeLocked(s *Stream, st *stream) {
	s.st = nil
	c.withdrawLocked(st)
	st.watcher = nil
	st.lent = false
	c.dropOutboxLocked(st)
	if st.returning {
		st.returning = false
		c.wave.returning.Add(-1)
	}
	if st.received > 0 {
		c.deliveredLocked()
	}
	c.forgetHeaderLocked(st)
	if st.state != h2.Closed && st.id > 0 && c.err == nil {
		reason := transport.ReasonCanceled
		if (c.role == h2.Server && !st.state.CanSend()) || (c.role == h2.Client && st.ended) {
			// RFC 9113 §8.1: the answer is complete; the rest of the request
			// is not wanted.
			reason = transport.ReasonNone
		}
		c.resetStreamLocked(st, codeOf(reason))
		st.state = h2.Closed
		c.forgetLocked(st)
	}
	if st.inside > 0 {
		// Somebody sleeps in another method, and finds out when it wakes; nobody
		// else may wait on its channels before.
		c.wakeLocked(st)
		st.wakeSenderLocked()
		c.dropBufferedLocked(st)
	} else {
		c.recycleLocked(st)
	}
}
