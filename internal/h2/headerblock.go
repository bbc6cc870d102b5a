package h2

import (
	"strconv"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
)

// HeaderBlock puts HEADERS and CONTINUATION frames together (RFC 9113 §4.3,
// §6.10), within limits: CONTINUATION has no flow control (CVE-2024-27316), and
// empty ones not even a size. A block in one frame is not copied.
type HeaderBlock struct {
	maxFrames, maxEmpty, maxBytes int
	patience                      time.Duration

	id            uint32
	endStream     bool
	assembling    bool
	deadline      time.Time
	frames, empty int
	buf           []byte
}

// NewHeaderBlock returns an assembler. The limits must have been resolved.
func NewHeaderBlock(l Limits) HeaderBlock {
	return HeaderBlock{
		maxFrames: l.Continuations, maxEmpty: l.EmptyContinuations,
		maxBytes: l.HeaderBlockBytes, patience: l.HeaderBlockTime,
	}
}

// Check must be asked about every frame first: while a block is incomplete only
// its CONTINUATION frames may come, and at no other time (RFC 9113 §6.10).
func (b *HeaderBlock) Check(h frame.Head) error {
	if b.assembling == (h.Type == frame.TypeContinuation) && (!b.assembling || b.id == h.StreamID) {
		return nil
	}
	if b.assembling {
		return connectionError(frame.CodeProtocol, h.Type.String()+" on stream "+strconv.FormatUint(uint64(h.StreamID), 10)+
			" inside the header block of stream "+strconv.FormatUint(uint64(b.id), 10))
	}
	return connectionError(frame.CodeProtocol, "CONTINUATION without a header block to continue")
}

// Start is a HEADERS frame. If it is complete, block is it, still in the frame's
// memory; if not, Continue will complete it.
func (b *HeaderBlock) Start(id uint32, f frame.Headers, now time.Time) (block []byte, complete bool, err error) {
	if len(f.Fragment) > b.maxBytes {
		return nil, false, b.tooLong(id)
	}
	if f.EndHeaders {
		return f.Fragment, true, nil
	}
	b.id, b.endStream, b.assembling = id, f.EndStream, true
	b.frames, b.empty = 0, 0
	b.deadline = now.Add(b.patience)
	b.buf = append(b.buf[:0], f.Fragment...)
	return nil, false, nil
}

// Continue is a CONTINUATION frame that Check allowed. Once complete, block is
// valid until the next Start or Drop.
func (b *HeaderBlock) Continue(f frame.Continuation) (block []byte, complete bool, err error) {
	b.frames++
	if len(f.Fragment) == 0 {
		b.empty++
	}
	switch {
	case b.frames > b.maxFrames:
		return nil, false, b.tooMany("more than " + strconv.Itoa(b.maxFrames) + " CONTINUATION frames")
	case b.empty > b.maxEmpty:
		return nil, false, b.tooMany("more than " + strconv.Itoa(b.maxEmpty) + " empty CONTINUATION frames")
	case len(b.buf)+len(f.Fragment) > b.maxBytes:
		return nil, false, b.tooLong(b.id)
	}
	b.buf = append(b.buf, f.Fragment...)
	if !f.EndHeaders {
		return nil, false, nil
	}
	b.assembling = false
	return b.buf, true, nil
}

// Stream is the stream of the block, and whether the block ends it.
func (b *HeaderBlock) Stream() (id uint32, endStream bool) { return b.id, b.endStream }

// Drop frees the memory of a block that took several frames, once it has been
// decoded: they are rare, and memory kept for them is not used again.
func (b *HeaderBlock) Drop() { b.buf = nil }

// Deadline is when CheckTime fails an incomplete block; false when there is none.
func (b *HeaderBlock) Deadline() (time.Time, bool) {
	return b.deadline, b.assembling && !isOff(b.patience)
}

// CheckTime fails when a block has been incomplete for too long.
func (b *HeaderBlock) CheckTime(now time.Time) error {
	if at, ok := b.Deadline(); ok && !now.Before(at) {
		return b.tooMany("not complete within " + b.patience.String())
	}
	return nil
}

func (b *HeaderBlock) tooLong(id uint32) error {
	b.id = id
	return b.tooMany("more than " + strconv.Itoa(b.maxBytes) + " bytes")
}

// tooMany ends the connection: a block that is not decoded leaves HPACK out of
// step (RFC 9113 §4.3).
func (b *HeaderBlock) tooMany(what string) error {
	return connectionError(frame.CodeEnhanceYourCalm, "header block of stream "+strconv.FormatUint(uint64(b.id), 10)+": "+what)
}
