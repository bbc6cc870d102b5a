package inproc

import (
	"context"
	"strconv"
	"sync"

	"github.com/yodelrpc/yodel/transport"
)

// pipe is one direction of a stream. Its exchange's lock guards it.
type pipe struct {
	header, trailer *transport.Header
	// buf[off:] is buffered. Only Discard moves bytes, so what Await has lent
	// stays in place while the writer appends.
	buf   []byte
	off   int
	ended bool

	// demand and need are the waiting reader's; demand is nil without one.
	demand transport.Demand
	need   int
	// wantHeader tells that the reader waits for the header section.
	wantHeader bool

	reader, writer waiter
}

// roomLocked is how much may be appended: what the window leaves, or a window
// more while the reader waits for more than there is, as a transport would
// enlarge the window for it.
func (p *pipe) roomLocked(window int) int {
	buffered := len(p.buf) - p.off
	if p.demand != nil && buffered < p.need {
		return max(window, p.need-buffered)
	}
	return max(window-buffered, 0)
}

// wakeReaderLocked wakes the reader if it has what it waits for.
func (p *pipe) wakeReaderLocked() {
	switch {
	case p.ended, p.wantHeader && p.header != nil:
	case p.demand != nil:
		p.need = p.demand(p.buf[p.off:])
		if len(p.buf)-p.off < p.need {
			return
		}
	default:
		return
	}
	p.reader.wake()
}

// waiter is one goroutine's place to wait.
type waiter struct {
	ch      chan struct{}
	waiting bool
}

// wait gives mu up until wake is called or ctx ends. The error is ctx's cause.
// It may return early without reason: callers check their condition again.
func (w *waiter) wait(ctx context.Context, mu *sync.Mutex) error {
	if w.ch == nil {
		w.ch = make(chan struct{}, 1)
	}
	w.waiting = true
	mu.Unlock()
	var err error
	select {
	case <-w.ch:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	mu.Lock()
	w.waiting = false
	return err
}

// wake is called with the lock that wait gives up.
func (w *waiter) wake() {
	if !w.waiting {
		return
	}
	select {
	case w.ch <- struct{}{}:
	default:
	}
}

// keep copies what the transport may not hold on to.
func keep(h *transport.Header) *transport.Header {
	c := &transport.Header{Block: h.Block}
	if c.Block == nil {
		c.Block = emptyBlock
	}
	if len(h.More) > 0 {
		c.More = append(make([]transport.Field, 0, len(h.More)), h.More...)
	}
	return c
}

// fieldOverhead is what a field costs beside its bytes (RFC 9113 §10.5.1).
const fieldOverhead = 32

// checkHeader tells whether to would accept h.
func checkHeader(h *transport.Header, to side) error {
	maxBytes, maxFields := DefaultMaxRequestHeaderBytes, DefaultMaxRequestHeaderFields
	if to == sideClient {
		maxBytes, maxFields = DefaultMaxResponseHeaderBytes, DefaultMaxResponseHeaderFields
	}
	size, fields := 0, len(h.More)
	if b := h.Block; b != nil {
		size += pseudoSize(b)
		fields += len(b.Fields)
		size += fieldsSize(b.Fields)
	}
	size += fieldsSize(h.More)
	if size <= maxBytes && fields <= maxFields {
		return nil
	}
	return &transport.Error{
		Reason: transport.ReasonHeaderTooLarge,
		Text: "the header section has " + strconv.Itoa(size) + " bytes and " + strconv.Itoa(fields) +
			" fields, the peer accepts " + strconv.Itoa(maxBytes) + " and " + strconv.Itoa(maxFields),
	}
}

func pseudoSize(b *transport.Block) int {
	size := 0
	for _, v := range [...]string{b.Method, b.Scheme, b.Authority, b.Path} {
		if v != "" {
			size += len(":authority") + len(v) + fieldOverhead
		}
	}
	return size
}

func fieldsSize(fields []transport.Field) int {
	size := 0
	for i := range fields {
		size += len(fields[i].Name) + len(fields[i].Value) + fieldOverhead
	}
	return size
}
