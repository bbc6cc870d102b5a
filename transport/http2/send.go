package http2

import (
	"context"
	"errors"
	"slices"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

const (
	// quantum is how much of one message goes out before smaller ones get a turn,
	// and lastQuantum how much if that is all that is left (see lane).
	quantum     = 64 << 10
	lastQuantum = quantum + quantum/8
)

// Open implements [transport.Conn].
func (c *Conn) Open(ctx context.Context, out *transport.Outgoing) (transport.Stream, error) {
	if c.role == h2.Server {
		return nil, errors.New("http2: a server cannot open streams")
	}
	if s := c.leaveOrder(out); s != nil {
		return s, nil
	}
	st := c.orders.core()
	s := &st.own
	if !out.AwaitsEnd {
		s = new(Stream)
	}
	s.holds(c, st)
	c.mu.Lock()
	if err := c.openLocked(ctx, st, s, out); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openLocked opens a stream as soon as the peer allows it, and releases the lock.
func (c *Conn) openLocked(ctx context.Context, st *stream, s *Stream, out *transport.Outgoing) error {
	err := c.admitLocked(ctx)
	if err == nil {
		err = c.startLocked(st, out)
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	if err = c.sendLocked(ctx, s, out); errors.Is(err, transport.ErrEnded) {
		return nil
	}
	return err
}

// startLocked gives a stream that has been admitted its id.
func (c *Conn) startLocked(st *stream, out *transport.Outgoing) error {
	err := c.checkHeaderLocked(out.Header)
	id, ok := c.ids.Next()
	if err == nil && !ok {
		err = &transport.Error{Scope: transport.ScopeConn, Reason: transport.ReasonRefused, Unprocessed: true, Text: "stream ids ran out"}
	}
	if err != nil {
		c.active--
		c.wakeOpeningsLocked()
		return err
	}
	c.enterLocked(st, id)
	st.awaitsEnd = out.AwaitsEnd
	if c.ids.Exhausted() {
		c.startDrainLocked(&transport.Error{Scope: transport.ScopeConn, Reason: transport.ReasonNone, Text: "stream ids run out"})
		c.drainNewsLocked()
	}
	return nil
}

// opening is one that waits for a stream.
type opening struct {
	wake    chan struct{}
	granted bool // a stream is counted for it already
}

// admitLocked waits until the peer allows one more stream (RFC 9113 §5.1.2), and
// counts it. First come, first served.
func (c *Conn) admitLocked(ctx context.Context) error {
	if c.draining != nil {
		return c.refusalLocked()
	}
	if c.tryAdmitLocked() {
		return nil
	}
	o := &opening{wake: make(chan struct{})}
	c.openings = append(c.openings, o)
	c.resumeLocked()
	c.mu.Unlock()
	var err error
	select {
	case <-o.wake:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.mu.Lock()
	if err == nil && o.granted && c.draining == nil {
		return nil
	}
	if o.granted {
		c.active--
		c.wakeOpeningsLocked()
	} else {
		c.openings = slices.DeleteFunc(c.openings, func(other *opening) bool { return other == o })
	}
	if err == nil {
		return c.refusalLocked()
	}
	return &transport.Error{
		Initiator:   transport.User,
		Reason:      transport.ReasonCanceled,
		Unprocessed: true,
		Text:        "while waiting for the peer to allow one more stream on the connection",
		Err:         err,
	}
}

// tryAdmitLocked is admitLocked if nothing has to be waited for.
func (c *Conn) tryAdmitLocked() bool {
	if !c.freeStreamLocked() || len(c.openings) > 0 {
		return false
	}
	c.active++
	return true
}

// freeStreamLocked tells whether the peer allows one more stream now.
func (c *Conn) freeStreamLocked() bool {
	return int64(c.active) < int64(c.peer.MaxConcurrentStreams)
}

// refusalLocked is why the connection takes no new streams.
func (c *Conn) refusalLocked() error {
	e := *c.draining
	e.Unprocessed, e.Sent = true, false
	return &e
}

// wakeOpeningsLocked hands the streams that there are to those who wait for
// them, and lets all of them go when there will be none any more.
func (c *Conn) wakeOpeningsLocked() {
	for len(c.openings) > 0 {
		o := c.openings[0]
		switch {
		case c.draining != nil:
		case c.freeStreamLocked():
			c.active++
			o.granted = true
		default:
			return
		}
		close(o.wake)
		c.openings[0] = nil
		c.openings = c.openings[1:]
	}
}

// Send implements [transport.Stream].
func (s *Stream) Send(ctx context.Context, out *transport.Outgoing) error {
	s.c.mu.Lock()
	return s.c.sendLocked(ctx, s, out)
}

// sendLocked sends out, and releases the lock.
func (c *Conn) sendLocked(ctx context.Context, s *Stream, out *transport.Outgoing) error {
	st := s.st
	if err := c.canSendLocked(st); err != nil {
		c.mu.Unlock()
		return err
	}
	for _, section := range [...]*transport.Header{out.Header, out.Trailer} {
		if section == nil {
			continue
		}
		if err := c.checkHeaderLocked(section); err != nil {
			c.mu.Unlock()
			return err // nothing has been sent: the caller may send less
		}
	}
	body := payload{out.Data, out.Bulk}
	if left := s.shutOutboxLocked(); left != nil {
		_, err := c.sendDataLocked(ctx, s, payload{data: left}, false)
		buffer.Put(left)
		if err != nil {
			c.flush()
			return err
		}
		st = s.st
	}
	ended := out.Trailer == nil && out.End && body.size() == 0
	if out.Header != nil {
		if err := c.sendHeaderLocked(st, out.Header, ended); err != nil {
			c.flush()
			return err
		}
	} else if ended {
		if err := c.sendEndLocked(st); err != nil {
			c.flush()
			return err
		}
	}
	refs := false
	if body.size() > 0 {
		var err error
		if refs, err = c.sendDataLocked(ctx, s, body, out.End && out.Trailer == nil); err != nil {
			c.flush()
			return err
		}
	}
	if out.Trailer != nil {
		if err := c.sendHeaderLocked(st, out.Trailer, true); err != nil {
			c.flush()
			return err
		}
	}
	return c.sentLocked(ctx, s, out, refs)
}

// sentLocked sees to it that what has been appended for out is written, and
// releases the lock. refs tells that the caller's memory is among it.
func (c *Conn) sentLocked(ctx context.Context, s *Stream, out *transport.Outgoing, refs bool) error {
	st := s.st
	if st.state == h2.Closed {
		c.forgetLocked(st)
	}
	if refs {
		err := c.awaitWritten(ctx, s, c.queuedLocked())
		if err == nil && out.Close {
			s.Close()
		}
		return err
	}
	if out.Close {
		s.released = st.inside == 0
		c.closeLocked(s, st)
	}
	switch {
	case out.Header == nil && out.Trailer == nil && !out.End:
		if c.out.size() > quantum {
			return c.awaitWritten(ctx, s, c.queuedLocked()-quantum/2)
		}
		if st.burst++; st.burst == 1 {
			break // the next message may well wait for an answer to this one
		}
		s.letLeave(false)
		c.flushSoon()
		return nil
	case c.out.size() > c.cfg.MaxQueued:
		return c.awaitWritten(ctx, s, c.queuedLocked()-uint64(c.cfg.MaxQueued/2))
	}
	c.flush()
	return nil
}

// canSendLocked says why nothing can be sent; nil if it can.
func (c *Conn) canSendLocked(st *stream) error {
	switch {
	case st == nil:
		return errClosed
	case st.err != nil:
		return st.err
	case st.ended && c.role == h2.Client:
		return transport.ErrEnded
	}
	return nil
}

// sendHeaderLocked sends a header section, or a trailer section.
func (c *Conn) sendHeaderLocked(st *stream, h *transport.Header, end bool) error {
	state, err := st.state.SendHeaders(st.id, end)
	if err != nil {
		return misuse(err)
	}
	c.appendHeaderLocked(st.id, h, end)
	c.pingPolicy.Sent()
	st.state = state
	st.sentHeader = true
	return nil
}

// sendEndLocked ends the sending side with an empty DATA frame.
func (c *Conn) sendEndLocked(st *stream) error {
	state, err := st.state.SendData(st.id, true)
	if err != nil {
		return misuse(err)
	}
	c.frames++
	c.out.bytes = frame.AppendDataHead(c.room(frameRoom), st.id, 0, true)
	st.state = state
	return nil
}

// misuse is an operation out of order: this program's fault, not the peer's.
func misuse(err error) error {
	return &transport.Error{Initiator: transport.User, Reason: transport.ReasonInternal, Err: err}
}

// payload is bytes to be sent: data, and then bulk.
type payload struct{ data, bulk []byte }

func (p *payload) size() int { return len(p.data) + len(p.bulk) }

// take takes the first n bytes out of p.
func (p *payload) take(n int) payload {
	d := min(n, len(p.data))
	b := n - d
	first := payload{p.data[:d], p.bulk[:b]}
	p.data, p.bulk = p.data[d:], p.bulk[b:]
	return first
}

// sendDataLocked sends p as flow control allows, and with end nothing after it.
// It returns with the lock held, whatever happens, and reports whether the
// connection refers to p's bytes; if it fails, it does not.
func (c *Conn) sendDataLocked(ctx context.Context, s *Stream, p payload, end bool) (refs bool, err error) {
	st := s.st
	id := st.id
	defer c.leaveLaneLocked(id)
	for {
		if n, inLine := c.sendableLocked(st, p.size()); n > 0 {
			last := end && n == p.size()
			var referred bool
			referred, err = c.sendSomeLocked(st, p.take(n), last)
			refs = refs || referred
			if err == nil && p.size() == 0 {
				return refs, nil
			}
			if err == nil {
				err = c.yieldLocked(ctx, s)
			}
		} else {
			err = c.waitToSendLocked(ctx, s, inLine)
		}
		if err != nil {
			if refs {
				c.disownLocked(id)
			}
			return false, err
		}
	}
}

// sendableLocked returns how much of a message may be sent now, of which size bytes are
// left. If it is nothing, inLine tells that st waits for the lane.
func (c *Conn) sendableLocked(st *stream, size int) (n int, inLine bool) {
	n = min(size, st.sendWindow.Available())
	large := size > lastQuantum
	switch {
	case n <= 0: // others may have credit
		c.leaveLaneLocked(st.id)
		if large {
			c.leaveLineLocked(st)
		}
	case large && !c.enterLaneLocked(st):
		return 0, true
	}
	n = min(n, c.sendWindow.Available())
	if large || n < size {
		n = min(n, quantum)
	}
	return n, false
}

// sendSomeLocked sends all of p, for which there is credit.
func (c *Conn) sendSomeLocked(st *stream, p payload, end bool) (refs bool, err error) {
	state, err := st.state.SendData(st.id, end)
	if err != nil {
		return false, misuse(err)
	}
	st.state = state
	st.sendWindow.Take(p.size())
	c.sendWindow.Take(p.size())
	c.lane.spend(st, p.size())
	refs = c.appendDataLocked(st.id, p, end)
	c.unblockLocked() // another may have been waiting for less
	return refs, nil
}

// appendDataLocked appends DATA frames. It reports whether they refer to p's
// bytes instead of holding a copy.
func (c *Conn) appendDataLocked(id uint32, p payload, end bool) (refs bool) {
	c.pingPolicy.Sent()
	most := int(c.peer.MaxFrameSize)
	if p.size() < refSize {
		p.data = c.extendTailLocked(id, p.data, end && len(p.bulk) == 0, most)
	}
	for p.size() > 0 {
		n := min(p.size(), most)
		last := end && n == p.size()
		start := len(c.out.bytes)
		c.frames++
		c.out.bytes = frame.AppendDataHead(c.room(frameRoom), id, n, last)
		first := p.take(n)
		refs = c.appendPieceLocked(id, first.data) || refs
		refs = c.appendPieceLocked(id, first.bulk) || refs
		if !refs && !last {
			c.out.tail = tail{id: id, start: start, end: len(c.out.bytes)}
		}
	}
	return refs
}

// appendPieceLocked appends a part of a DATA frame, or a reference to it.
func (c *Conn) appendPieceLocked(id uint32, piece []byte) (refs bool) {
	if len(piece) >= refSize {
		c.out.refs = append(c.out.refs, ref{at: len(c.out.bytes), id: id, data: piece})
		c.out.large += len(piece)
		return true
	}
	c.out.bytes = append(c.room(len(piece)), piece...)
	return false
}

// extendTailLocked adds data to the frame at the end of the pending bytes, if it
// is the stream's, and returns what is left.
func (c *Conn) extendTailLocked(id uint32, data []byte, end bool, most int) []byte {
	t := &c.out.tail
	if t.id != id || t.end != len(c.out.bytes) || (len(c.out.refs) > 0 && c.out.refs[len(c.out.refs)-1].at == t.end) {
		return data
	}
	length := t.end - t.start - frame.HeadLen
	n := min(len(data), most-length)
	if n <= 0 {
		return data
	}
	last := end && n == len(data)
	c.out.bytes = append(c.room(n), data[:n]...)
	frame.AppendDataHead(c.out.bytes[t.start:t.start], id, length+n, last)
	t.end += n
	if last {
		t.id = 0
	}
	return data[n:]
}

// waitToSendLocked waits until there may be credit to send on st, or, in line, until it
// may enter the lane.
func (c *Conn) waitToSendLocked(ctx context.Context, s *Stream, inLine bool) error {
	st := s.st
	st.sendWaiting = true
	if !inLine && st.sendWindow.Available() > 0 {
		st.blocked = true
		c.blocked = append(c.blocked, st)
	} else {
		c.unblockLocked() // it may be this stream's turn at the connection's window
	}
	st.inside++
	c.senders++
	w := c.waiters.take()
	st.sendWake = w
	c.aboutToWaitLocked(st)
	c.flush()
	err := w.wait(ctx)
	c.mu.Lock()
	st.inside--
	st.sendWake = nil
	c.waiters.give(w)
	c.senders--
	if st.blocked {
		st.blocked = false
		c.blocked = slices.DeleteFunc(c.blocked, func(other *stream) bool { return other == st })
	}
	if err == nil {
		err = c.canSendLocked(s.st)
	} else if st := s.st; st != nil {
		st.sendWaiting = false
		if st.err == nil {
			c.resetLocked(st, transport.ReasonCanceled, err)
		}
	}
	if err != nil {
		c.unblockLocked()
		if inLine {
			c.leaveLineLocked(st)
		}
	}
	return err
}

// unblockLocked wakes the first stream that waits for the connection's window.
// It passes the rest on when it has taken what it needs.
func (c *Conn) unblockLocked() {
	for len(c.blocked) > 0 && c.sendWindow.Available() > 0 {
		st := c.blocked[0]
		c.blocked[0] = nil
		c.blocked = c.blocked[1:]
		st.blocked = false
		if st.sendWaiting {
			st.wakeSenderLocked()
			return
		}
	}
}

// yieldLocked lets what is queued go out, so that one large message does not
// hold up the others.
func (c *Conn) yieldLocked(ctx context.Context, s *Stream) error {
	if c.out.size() <= c.cfg.MaxQueued/2 {
		return nil
	}
	err := c.awaitTarget(ctx, s.st, c.queuedLocked()-uint64(c.cfg.MaxQueued/2))
	c.mu.Lock()
	if err != nil {
		if st := s.st; st != nil && st.err == nil {
			c.resetLocked(st, transport.ReasonCanceled, err)
		}
		return err
	}
	return c.canSendLocked(s.st)
}

// awaitWritten waits until target bytes are written, and releases the lock. If
// ctx ends first, the stream is reset.
func (c *Conn) awaitWritten(ctx context.Context, s *Stream, target uint64) error {
	id := s.st.id
	err := c.awaitTarget(ctx, s.st, target)
	c.mu.Lock()
	if c.written < target {
		c.disownLocked(id)
	}
	st := s.st
	switch {
	case st == nil:
	case err != nil && st.err == nil:
		c.resetLocked(st, transport.ReasonCanceled, err)
	case st.err != nil && c.err != nil:
		err = st.err
	}
	c.flush()
	return err
}

// awaitTarget sees to it that pending bytes are written, waits until target
// bytes are, and releases the lock.
func (c *Conn) awaitTarget(ctx context.Context, st *stream, target uint64) error {
	c.corked = false
	c.flush()
	c.mu.Lock()
	if c.written >= target {
		c.mu.Unlock()
		return nil
	}
	if c.err != nil {
		err := c.err
		c.mu.Unlock()
		return err
	}
	wake := make(chan struct{})
	c.flushWaiters = append(c.flushWaiters, flushWaiter{target: target, wake: wake})
	c.aboutToWaitLocked(st)
	c.mu.Unlock()
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
