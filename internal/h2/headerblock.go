package h2

import (
	"strconv"

	"github.com/yodelrpc/yodel/internal/frame"
)

// HeaderBlock puts HEADERS and CONTINUATION frames together (RFC 9113 §4.3,
// §6.10), within limits: CONTINUATION has no flow control (CVE-2024-27316), and
// empty ones not even a size. A block in one frame is not copied.
type HeaderBlock struct {
	limits *Limits
	// part is a block that is not complete; nil if there is none: they are rare.
	part *partialBlock
}

type partialBlock struct {
	id            uint32
	endStream     bool
	frames, empty int
	buf           []byte
}

// NewHeaderBlock returns an assembler. The limits must have been resolved, and are not
// changed any more.
func NewHeaderBlock(l *Limits) HeaderBlock { return HeaderBlock{limits: l} }

// Check must be asked about every frame first: while a block is incomplete only
// its CONTINUATION frames may come, and at no other time (RFC 9113 §6.10).
func (b *HeaderBlock) Check(h frame.Head) error {
	if (b.part != nil) == (h.Type == frame.TypeContinuation) && (b.part == nil || b.part.id == h.StreamID) {
		return nil
	}
	if b.part != nil {
		return connectionError(frame.CodeProtocol, h.Type.String()+" on stream "+strconv.FormatUint(uint64(h.StreamID), 10)+
			" inside the header block of stream "+strconv.FormatUint(uint64(b.part.id), 10))
	}
	return connectionError(frame.CodeProtocol, "CONTINUATION without a header block to continue")
}

// Start is a HEADERS frame. If it is complete, block is it, still in the frame's
// memory; if not, Continue will complete it.
func (b *HeaderBlock) Start(id uint32, f frame.Headers) (block []byte, complete bool, err error) {
	if len(f.Fragment) > b.limits.HeaderBlockBytes {
		return nil, false, b.tooLong(id)
	}
	if f.EndHeaders {
		return f.Fragment, true, nil
	}
	b.part = &partialBlock{id: id, endStream: f.EndStream, buf: append([]byte(nil), f.Fragment...)}
	return nil, false, nil
}

// Continue is a CONTINUATION frame that Check allowed. Once complete, block is the
// caller's, and endStream tells whether it ends its stream.
func (b *HeaderBlock) Continue(f frame.Continuation) (block []byte, endStream, complete bool, err error) {
	p := b.part
	p.frames++
	if len(f.Fragment) == 0 {
		p.empty++
	}
	switch l := b.limits; {
	case p.frames > l.Continuations:
		err = tooMany(p.id, "more than "+strconv.Itoa(l.Continuations)+" CONTINUATION frames")
	case p.empty > l.EmptyContinuations:
		err = tooMany(p.id, "more than "+strconv.Itoa(l.EmptyContinuations)+" empty CONTINUATION frames")
	case len(p.buf)+len(f.Fragment) > l.HeaderBlockBytes:
		err = b.tooLong(p.id)
	}
	if err != nil {
		return nil, false, false, err
	}
	p.buf = append(p.buf, f.Fragment...)
	if !f.EndHeaders {
		return nil, false, false, nil
	}
	b.part = nil
	return p.buf, p.endStream, true, nil
}

func (b *HeaderBlock) tooLong(id uint32) error {
	return tooMany(id, "more than "+strconv.Itoa(b.limits.HeaderBlockBytes)+" bytes")
}

// tooMany ends the connection: a block that is not decoded leaves HPACK out of
// step (RFC 9113 §4.3).
func tooMany(id uint32, what string) error {
	return connectionError(frame.CodeEnhanceYourCalm, "header block of stream "+strconv.FormatUint(uint64(id), 10)+": "+what)
}
