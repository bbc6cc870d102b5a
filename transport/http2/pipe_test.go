package http2_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeSize is how many bytes each direction of a pipe holds by default.
const pipeSize = 1 << 20

// newPipe returns the two ends of a connection in memory: bytes wait in a buffer
// of so many bytes each way, as in a socket, there are deadlines and half-closes,
// and it all works on the virtual time of a synctest bubble.
func newPipe(size int) (a, b *pipeEnd) {
	ab, ba := newHalf(size), newHalf(size)
	return &pipeEnd{name: "a", in: ba, out: ab}, &pipeEnd{name: "b", in: ab, out: ba}
}

// half is one direction of a pipe.
type half struct {
	mu   sync.Mutex
	cond *sync.Cond
	buf  []byte
	size int
	// left is how many bytes more get through before the pipe breaks; -1 for
	// any number.
	left int
	// onBreak is called when left is used up.
	onBreak func()

	eof      bool // the writing end has closed
	deaf     bool // the reading end has closed
	broken   bool
	readEnd  limit
	writeEnd limit
	passed   []byte // everything written, if recording
	record   bool
}

// limit is a deadline of one end.
type limit struct {
	at     time.Time
	timer  *time.Timer
	closed bool
}

func (l *limit) err() error {
	switch {
	case l.closed:
		return net.ErrClosed
	case !l.at.IsZero() && !time.Now().Before(l.at):
		return os.ErrDeadlineExceeded
	}
	return nil
}

func newHalf(size int) *half {
	h := &half{size: size, left: -1}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *half) setDeadline(l *limit, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.at = at
	// No timer that fires at once: it would run here, and two at a time, in two
	// goroutines of a bubble, crash Go's race detector.
	if left := time.Until(at); left > 0 && !l.closed {
		l.timer = time.AfterFunc(left, h.cond.Broadcast)
	}
	h.cond.Broadcast()
}

func (h *half) closeEnd(l *limit, flag *bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.closed, *flag = true, true
	if l.timer != nil {
		l.timer.Stop()
	}
	h.cond.Broadcast()
}

func (h *half) breakDown() {
	h.mu.Lock()
	h.broken = true
	h.cond.Broadcast()
	h.mu.Unlock()
}

// breakAfter lets n bytes more through.
func (h *half) breakAfter(n int) {
	h.mu.Lock()
	h.left = n
	h.mu.Unlock()
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if err := h.readEnd.err(); err != nil {
			return 0, err
		}
		switch {
		case h.broken:
			return 0, syscall.ECONNRESET
		case len(b) == 0:
			return 0, nil
		case len(h.buf) > 0:
			n := copy(b, h.buf)
			h.buf = h.buf[n:]
			h.cond.Broadcast()
			return n, nil
		case h.eof:
			return 0, io.EOF
		}
		h.cond.Wait()
	}
}

func (h *half) write(b []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if err := h.writeEnd.err(); err != nil {
			return n, err
		}
		switch {
		case h.broken || h.deaf:
			return n, syscall.EPIPE
		case len(b) == 0:
			return n, nil
		}
		k := min(len(b), h.size-len(h.buf))
		if h.left >= 0 {
			k = min(k, h.left)
		}
		if k > 0 {
			h.buf = append(h.buf, b[:k]...)
			if h.record {
				h.passed = append(h.passed, b[:k]...)
			}
			b, n = b[k:], n+k
			if h.left > 0 {
				h.left -= k
			}
			h.cond.Broadcast()
		}
		if h.left == 0 {
			h.mu.Unlock()
			h.onBreak()
			h.mu.Lock()
			continue
		}
		if len(b) > 0 {
			h.cond.Wait()
		}
	}
}

// pipeEnd is a net.Conn.
type pipeEnd struct {
	name    string
	in, out *half
}

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.read(b) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.write(b) }

func (p *pipeEnd) Close() error {
	p.in.closeEnd(&p.in.readEnd, &p.in.deaf)
	p.out.closeEnd(&p.out.writeEnd, &p.out.eof)
	return nil
}

func (p *pipeEnd) CloseWrite() error {
	p.out.closeEnd(&p.out.writeEnd, &p.out.eof)
	return nil
}

// cut breaks both directions at once, losing what is on its way, as a TCP reset
// does.
func (p *pipeEnd) cut() {
	p.in.breakDown()
	p.out.breakDown()
}

func (p *pipeEnd) LocalAddr() net.Addr  { return pipeAddr(p.name) }
func (p *pipeEnd) RemoteAddr() net.Addr { return pipeAddr("peer of " + p.name) }

func (p *pipeEnd) SetDeadline(t time.Time) error {
	_ = p.SetReadDeadline(t)
	return p.SetWriteDeadline(t)
}

func (p *pipeEnd) SetReadDeadline(t time.Time) error {
	p.in.setDeadline(&p.in.readEnd, t)
	return nil
}

func (p *pipeEnd) SetWriteDeadline(t time.Time) error {
	p.out.setDeadline(&p.out.writeEnd, t)
	return nil
}

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

// pipeListener accepts pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	size  int
	// onPipe sees each new pipe, the dialer's end first; nil does not.
	onPipe func(near, far *pipeEnd)
	// wrap changes both ends before they are used; nil leaves them.
	wrap func(*pipeEnd) net.Conn
}

func newPipeListener(size int) *pipeListener {
	return &pipeListener{conns: make(chan net.Conn, 16), done: make(chan struct{}), size: size}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr("listener") }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a, b := newPipe(l.size)
	if l.onPipe != nil {
		l.onPipe(a, b)
	}
	var near, far net.Conn = a, b
	if l.wrap != nil {
		near, far = l.wrap(a), l.wrap(b)
	}
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// chunked cuts reads and writes into random pieces of at most most bytes: what
// comes together on one network comes apart on another.
type chunked struct {
	*pipeEnd
	mu   sync.Mutex
	rnd  *rand.Rand
	most int
}

func newChunked(nc *pipeEnd, most int, seed uint64) *chunked {
	return &chunked{pipeEnd: nc, rnd: rand.New(rand.NewPCG(seed, 1)), most: most}
}

func (c *chunked) piece(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(n, 1+c.rnd.IntN(c.most))
}

func (c *chunked) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return c.pipeEnd.Read(b[:c.piece(len(b))])
}

func (c *chunked) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		k, err := c.pipeEnd.Write(b[:c.piece(len(b))])
		n += k
		if err != nil {
			return n, err
		}
		b = b[k:]
	}
	return n, nil
}
