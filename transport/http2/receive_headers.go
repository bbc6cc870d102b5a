package http2

import (
	"errors"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/internal/hpack"
	"github.com/yodelrpc/yodel/transport"
)

func (c *Conn) receiveHeadersLocked(h frame.Head, payload []byte) error {
	f, err := frame.ParseHeaders(h, payload)
	if err != nil {
		return err
	}
	r := &c.reader
	block, complete, err := r.block.Start(h.StreamID, f)
	if err != nil || !complete {
		r.open = err == nil
		return err
	}
	return c.headerSectionLocked(h.StreamID, block, f.EndStream)
}

func (c *Conn) receiveContinuationLocked(h frame.Head, payload []byte) error {
	f, err := frame.ParseContinuation(h, payload)
	if err != nil {
		return err
	}
	r := &c.reader
	block, end, complete, err := r.block.Continue(f)
	if err != nil || !complete {
		return err
	}
	r.open = false
	return c.headerSectionLocked(h.StreamID, block, end)
}

// headerSectionLocked handles a whole header section. It is decoded whatever becomes
// of it, or the compression state would be lost (RFC 9113 §4.3).
func (c *Conn) headerSectionLocked(id uint32, block []byte, end bool) error {
	if len(block) == 0 {
		if err := c.chargeLocked(h2.ActEmptyHeaders); err != nil {
			return err
		}
	}
	c.newsLocked()
	if c.role == h2.Server {
		return c.requestSectionLocked(id, block, end)
	}
	return c.responseSectionLocked(id, block, end)
}

func (c *Conn) requestSectionLocked(id uint32, block []byte, end bool) error {
	if st := c.findLocked(id); st != nil {
		return c.trailerSectionLocked(id, st, block, end)
	}
	if opened, verdict := c.ids.OpenRemote(id); !opened {
		return c.lateSectionLocked(id, block, verdict)
	}
	s, err := c.decode(sectionRequest, id, block)
	if fe, ok := errors.AsType[*h2.FieldError](err); ok && fe.Status != 0 {
		return c.refuseRequestLocked(id)
	}
	if err != nil {
		return err
	}
	return c.acceptLocked(id, s, end)
}

// badRequest answers requests that name no authority, or two.
var badRequest = &transport.Header{Block: &transport.Block{Status: 400}}

// refuseRequestLocked answers a request with HTTP status 400 (gRFC A41), without a
// handler.
func (c *Conn) refuseRequestLocked(id uint32) error {
	if !c.aliveLocked() {
		return nil
	}
	c.appendHeaderLocked(id, badRequest, true)
	c.appendReset(id, frame.CodeNo)
	c.repliedLocked(frameRoom)
	return c.chargeLocked(h2.ActProvokedReset)
}

// lateSectionLocked decodes a header section of a stream that is gone, for the
// compression state's sake. verdict is what to make of the section itself.
func (c *Conn) lateSectionLocked(id uint32, block []byte, verdict error) error {
	if _, err := c.decode(sectionTrailer, id, block); isConnError(err) {
		return err
	}
	if verdict != nil || c.role == h2.Client {
		return verdict // answers to calls that were canceled are no fault of the server
	}
	return c.chargeLocked(h2.ActLateFrame)
}

// acceptLocked starts a stream that the client opened, or refuses it.
func (c *Conn) acceptLocked(id uint32, s section, end bool) error {
	if !c.aliveLocked() {
		return nil
	}
	if c.goAway.Ignores(id) {
		return nil // RFC 9113 §6.8: the client knows, and tries elsewhere
	}
	if c.streams.len() >= c.cfg.Limits.ConcurrentStreams || c.headerSize+s.size > c.cfg.Limits.HeaderMemory {
		// RFC 9113 §5.1.2: refused streams are safe to try again.
		c.appendReset(id, frame.CodeRefusedStream)
		c.repliedLocked(frameRoom)
		return c.chargeLocked(h2.ActRefusedStream)
	}
	st := c.orders.coreLocked() // a server has no other use for them
	c.accepted.handle().holds(c, st)
	c.enterLocked(st, id)
	state, err := st.state.RecvHeaders(id, end)
	if err != nil {
		return err
	}
	st.state = state
	st.contentLength = s.contentLength
	st.headerSize = s.size
	c.headerSize += s.size
	st.gotHeader, st.ended = true, end
	if end && s.contentLength > 0 {
		return &frame.Error{Code: frame.CodeProtocol, StreamID: id, Text: "content-length without DATA (RFC 9113 §8.1.1)"}
	}
	st.handle.header = s.header
	c.reader.opened++
	c.dropDeadLocked()
	c.accepted.push(st.handle)
	return nil
}

// trailerSectionLocked ends the peer's side of a stream.
func (c *Conn) trailerSectionLocked(id uint32, st *stream, block []byte, end bool) error {
	s, fault := c.decode(sectionTrailer, id, block)
	if isConnError(fault) {
		return fault
	}
	state, err := st.state.RecvHeaders(id, true)
	switch {
	case err != nil:
		return err
	case fault != nil:
		return fault
	case !end:
		return &frame.Error{Code: frame.CodeProtocol, StreamID: id, Text: "header section in mid-stream that does not end the stream (RFC 9113 §8.1)"}
	}
	if st.contentLength >= 0 && st.received != st.contentLength {
		return &frame.Error{Code: frame.CodeProtocol, StreamID: id, Text: "DATA does not add up to content-length (RFC 9113 §8.1.1)"}
	}
	if err := c.countHeaderLocked(st, s.size); err != nil {
		return err
	}
	st.state = state
	st.gotTrailer = true
	st.handle.trailer = s.header
	c.endedLocked(st)
	return nil
}

func (c *Conn) responseSectionLocked(id uint32, block []byte, end bool) error {
	st := c.findLocked(id)
	if st == nil {
		return c.lateSectionLocked(id, block, c.ids.Missing(frame.TypeHeaders, id))
	}
	if st.gotHeader {
		return c.trailerSectionLocked(id, st, block, end)
	}
	s, err := c.decode(sectionResponse, id, block)
	if err != nil {
		return err
	}
	if status := s.header.Block.Status; status >= 100 && status < 200 {
		if end {
			return &frame.Error{Code: frame.CodeProtocol, StreamID: id, Text: "an interim response ends the stream (RFC 9113 §8.1)"}
		}
		return c.chargeLocked(h2.ActEmptyHeaders)
	}
	state, err := st.state.RecvHeaders(id, end)
	if err != nil {
		return err
	}
	if err := c.countHeaderLocked(st, s.size); err != nil {
		return err
	}
	st.state = state
	st.contentLength = s.contentLength
	st.gotHeader = true
	st.handle.header = s.header
	if end {
		c.endedLocked(st)
	} else if st.demand == nil {
		c.wakeLater(st) // waits for the header section
	}
	return nil
}

// countHeaderLocked counts the memory of a header section that a stream keeps.
func (c *Conn) countHeaderLocked(st *stream, size int) error {
	if c.headerSize+size > c.cfg.Limits.HeaderMemory {
		c.closeLeftLocked()
	}
	if c.headerSize+size > c.cfg.Limits.HeaderMemory {
		return &frame.Error{
			Code: frame.CodeEnhanceYourCalm, StreamID: st.id,
			Text: "the header sections of the connection's streams hold more than this side accepts (HeaderMemory)",
		}
	}
	st.headerSize += size
	c.headerSize += size
	return nil
}

// sectionKind is what a header section is.
type sectionKind uint8

const (
	sectionRequest sectionKind = iota
	sectionResponse
	sectionTrailer
	sectionKinds
)

// section is a header section decoded and checked.
type section struct {
	header        *transport.Header
	contentLength int64
	// size is what the section takes of HeaderMemory: what is shared with
	// others takes nothing.
	size int
}

// decode decodes and checks a header section. What is wrong with the section
// is a stream's error; what is wrong with its compression is the connection's.
func (c *Conn) decode(kind sectionKind, id uint32, block []byte) (section, error) {
	r := &c.reader
	if known, n := r.seen.find(kind, r.dec, block, r.limits); known != nil {
		return c.decodeMore(known, id, block[n:])
	}
	fields, err := r.dec.Decode(r.fields[:0], block, r.limits)
	r.fields = fields[:0]
	defer clear(fields)
	if err != nil {
		return section{}, decodeError(err, id)
	}
	return check(kind, id, fields)
}

// decodeMore adds fields to a remembered block.
func (c *Conn) decodeMore(known *seenBlock, id uint32, rest []byte) (section, error) {
	s := section{header: &known.header, contentLength: known.contentLength}
	if len(rest) == 0 {
		return s, nil
	}
	r := &c.reader
	if rest[0]&0xe0 == 0x20 {
		return s, &frame.Error{Code: frame.CodeCompression, Text: "table size update within a header block (RFC 7541 §4.2)"}
	}
	limits := hpack.Limits{Bytes: r.limits.Bytes - known.size, Fields: r.limits.Fields - known.fields}
	fields, err := r.dec.Decode(r.fields[:0], rest, limits)
	r.fields = fields[:0]
	defer clear(fields)
	if err != nil {
		return s, decodeError(err, id)
	}
	if known.kind == sectionTrailer {
		err = h2.CheckTrailers(fields)
	} else {
		s.contentLength, fields, err = h2.CheckMore(known.contentLength, fields)
	}
	if err != nil {
		return s, fieldError(err, id)
	}
	s.header = &transport.Header{Block: known.header.Block, More: append([]transport.Field(nil), fields...)}
	s.size = sectionSize(s.header.More)
	return s, nil
}

// check turns decoded fields into a section that keeps nothing of their slice.
func check(kind sectionKind, id uint32, fields []hpack.Field) (section, error) {
	b := &transport.Block{}
	s := section{header: &transport.Header{Block: b}, contentLength: -1}
	switch kind {
	case sectionRequest:
		r, err := h2.CheckRequest(fields)
		if err != nil {
			return section{}, fieldError(err, id)
		}
		b.Method, b.Scheme, b.Authority, b.Path = r.Method, r.Scheme, r.Authority, r.Path
		s.contentLength, fields = r.ContentLength, r.Fields
	case sectionResponse:
		r, err := h2.CheckResponse(fields)
		if err != nil {
			return section{}, fieldError(err, id)
		}
		b.Status = r.Status
		s.contentLength, fields = r.ContentLength, r.Fields
	default:
		if err := h2.CheckTrailers(fields); err != nil {
			return section{}, fieldError(err, id)
		}
	}
	b.Fields = append([]transport.Field(nil), fields...)
	s.size = len(b.Path) + len(b.Authority) + sectionSize(b.Fields)
	return s, nil
}

func sectionSize(fields []transport.Field) (n int) {
	for i := range fields {
		n += fieldSize(fields[i].Name, fields[i].Value)
	}
	return n
}

// fieldError makes a malformed section the error of its stream (RFC 9113
// §8.1.1).
func fieldError(err error, id uint32) error {
	if fe, ok := errors.AsType[*h2.FieldError](err); ok && fe.Status == 0 {
		return fe.OnStream(id)
	}
	return err
}

// decodeError tells sections that are too large, which cost one stream, from
// broken compression, which costs the connection (RFC 9113 §4.3).
func decodeError(err error, id uint32) error {
	if errors.Is(err, hpack.ErrTooLarge) {
		return &frame.Error{
			Code: frame.CodeEnhanceYourCalm, StreamID: id,
			Text: "the peer's header section is larger than this side accepts (MaxHeaderBytes, MaxHeaderFields)",
		}
	}
	return &frame.Error{Code: frame.CodeCompression, Text: err.Error()}
}

func isConnError(err error) bool {
	if err == nil {
		return false
	}
	_, fe := fromFrame(err)
	return fe.StreamID == 0
}
