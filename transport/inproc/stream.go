package inproc

import (
	"context"
	"errors"
	"sync"

	"github.com/yodelrpc/yodel/transport"
)

var (
	errNoHeader  = errors.New("inproc: a stream begins with a header section that has a Block")
	errHeader    = errors.New("inproc: the header section has been sent already")
	errSendEnded = errors.New("inproc: this side has ended its sending already")
	errClosed    = errors.New("inproc: the stream has been closed")
	emptyBlock   = &transport.Block{}
)

// exchange is one stream with both its ends.
type exchange struct {
	link *link
	// ends[s] is the Stream that side s holds.
	ends [2]stream

	mu sync.Mutex
	// pipes[s] carries what side s sends.
	pipes [2]pipe
}

// stream is one end of an exchange.
type stream struct {
	x    *exchange
	side side

	// The rest is guarded by x.mu.

	// failure is why this end ended early.
	failure *transport.Error
	watcher transport.Watcher
	closed  bool
}

var _ transport.Stream = (*stream)(nil)

func newExchange(k *link) *exchange {
	x := &exchange{link: k}
	for s := range x.ends {
		x.ends[s].x, x.ends[s].side = x, side(s)
	}
	return x
}

// serve runs the handler, and gives the stream's slot back when it returns: a
// reset alone does not (a peer that resets and opens again would otherwise run
// handlers without limit).
func (x *exchange) serve(h transport.Handler) {
	defer x.link.served(x)
	x.mu.Lock()
	head := x.pipes[sideClient].header
	x.mu.Unlock()
	h.ServeStream(&x.ends[sideServer], head)
}

func (s *stream) in() *pipe  { return &s.x.pipes[s.side.other()] }
func (s *stream) out() *pipe { return &s.x.pipes[s.side] }

func (s *stream) putHeader(h *transport.Header) {
	s.x.mu.Lock()
	s.out().header = keep(h)
	s.x.mu.Unlock()
}

// Send implements [transport.Stream].
func (s *stream) Send(ctx context.Context, out *transport.Outgoing) error {
	for _, h := range [...]*transport.Header{out.Header, out.Trailer} {
		if h == nil {
			continue
		}
		if err := checkHeader(h, s.side.other()); err != nil {
			// Nothing was sent: a smaller section may still go.
			return err
		}
	}
	if err := s.send(ctx, out); err != nil {
		return err
	}
	if out.Close {
		s.Close()
	}
	return nil
}

func (s *stream) send(ctx context.Context, out *transport.Outgoing) error {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if err := s.sendableLocked(out); err != nil {
		return err
	}
	p := s.out()
	if out.Header != nil {
		p.header = keep(out.Header)
	}
	for _, data := range [...][]byte{out.Data, out.Bulk} {
		if err := s.writeLocked(ctx, data); err != nil {
			return err
		}
	}
	if out.Trailer != nil {
		p.trailer = keep(out.Trailer)
	}
	p.ended = p.ended || out.Trailer != nil || out.End
	p.wakeReaderLocked()
	return nil
}

// sendableLocked tells whether out may be sent now.
func (s *stream) sendableLocked(out *transport.Outgoing) error {
	p := s.out()
	switch {
	case s.closed:
		return errClosed
	case s.in().ended && s.side == sideClient:
		return transport.ErrEnded
	case s.failure != nil:
		return s.failure
	case p.ended:
		return errSendEnded
	case out.Header != nil && p.header != nil:
		return errHeader
	case out.Header == nil && p.header == nil:
		return errNoHeader
	}
	return nil
}

// writeLocked appends data as the reader makes room.
func (s *stream) writeLocked(ctx context.Context, data []byte) error {
	p := s.out()
	for {
		n := min(len(data), p.roomLocked(s.x.link.lis.cfg.WindowBytes))
		if n > 0 {
			p.buf = append(p.buf, data[:n]...)
			data = data[n:]
		}
		if len(data) == 0 {
			return nil
		}
		p.wakeReaderLocked()
		if p.roomLocked(s.x.link.lis.cfg.WindowBytes) > 0 {
			continue
		}
		if err := p.writer.wait(ctx, &s.x.mu); err != nil {
			s.x.mu.Unlock()
			s.Reset(transport.ReasonCanceled)
			s.x.mu.Lock()
			return err
		}
		switch {
		case s.in().ended && s.side == sideClient:
			return transport.ErrEnded
		case s.failure != nil:
			return s.failure
		}
	}
}

// Append implements [transport.Stream].
func (*stream) Append([]byte) bool { return false }

// Header implements [transport.Stream].
func (s *stream) Header(ctx context.Context) (*transport.Header, error) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	p := s.in()
	for p.header == nil {
		if s.failure != nil {
			return nil, s.failure
		}
		p.wantHeader = true
		err := p.reader.wait(ctx, &s.x.mu)
		p.wantHeader = false
		if err != nil {
			return nil, err
		}
	}
	return p.header, nil
}

// Await implements [transport.Stream].
func (s *stream) Await(ctx context.Context, demand transport.Demand) ([]byte, bool, error) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	p := s.in()
	for {
		// What the peer sent before it ended normally outlives its connection.
		if s.failure != nil && !p.ended {
			return nil, false, s.failure
		}
		buffered := p.buf[p.off:]
		need := demand(buffered)
		if p.ended || len(buffered) >= need {
			return buffered, p.ended, nil
		}
		p.demand, p.need = demand, need
		p.writer.wake()
		err := p.reader.wait(ctx, &s.x.mu)
		p.demand, p.need = nil, 0
		if err != nil {
			return nil, false, err
		}
	}
}

// Discard implements [transport.Stream].
func (s *stream) Discard(n int) {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	p := s.in()
	p.off += min(n, len(p.buf)-p.off)
	switch {
	case p.off == len(p.buf):
		p.buf, p.off = p.buf[:0], 0
	case p.off > len(p.buf)/2:
		p.buf, p.off = append(p.buf[:0], p.buf[p.off:]...), 0
	}
	p.writer.wake()
}

// Keep implements [transport.Stream].
func (*stream) Keep(int) bool { return false }

// Trailer implements [transport.Stream].
func (s *stream) Trailer() *transport.Header {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	return s.in().trailer
}

// Reset implements [transport.Stream].
func (s *stream) Reset(reason transport.Reason) {
	var why [2]*transport.Error
	why[s.side] = &transport.Error{Initiator: transport.User, Reason: reason, Sent: true}
	why[s.side.other()] = &transport.Error{
		Initiator: transport.Peer, Reason: reason, Sent: true,
		Unprocessed: s.side == sideServer && reason == transport.ReasonRefused,
	}
	s.x.fail(why)
}

// Close implements [transport.Stream].
func (s *stream) Close() {
	s.x.mu.Lock()
	if s.closed {
		s.x.mu.Unlock()
		return
	}
	s.closed, s.watcher = true, nil
	sent, received := s.out().ended, s.in().ended
	if sent && s.side == sideServer && !received {
		// RFC 9113 §8.1: the answer is complete; the rest of the request is not
		// wanted, which is no failure.
		s.in().ended = true
		received = true
		s.in().writer.wake()
	}
	s.x.mu.Unlock()
	if !sent || !received {
		s.Reset(transport.ReasonCanceled)
	}
}

// Watch implements [transport.Stream].
func (s *stream) Watch(w transport.Watcher) error {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	if !s.closed {
		s.watcher = w
	}
	return nil
}

// Conn implements [transport.Stream].
func (s *stream) Conn() transport.Conn {
	if s.side == sideClient {
		return s.x.link.client
	}
	return s.x.link.server
}

// fail ends an exchange that has not finished, each end with its own error.
func (x *exchange) fail(why [2]*transport.Error) {
	var told [2]transport.Watcher
	x.mu.Lock()
	if x.pipes[sideClient].ended && x.pipes[sideServer].ended {
		x.mu.Unlock()
		return
	}
	for s := range x.ends {
		end := &x.ends[s]
		if end.failure != nil {
			continue
		}
		end.failure = why[s]
		if why[s].Initiator != transport.User || why[s].Scope == transport.ScopeConn {
			told[s] = end.watcher
		}
		end.watcher = nil
	}
	for i := range x.pipes {
		x.pipes[i].reader.wake()
		x.pipes[i].writer.wake()
	}
	x.mu.Unlock()
	for s, w := range told {
		if w != nil {
			w.StreamFailed(why[s])
		}
	}
}
