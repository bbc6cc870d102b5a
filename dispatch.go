package yodel

import (
	"context"
	"errors"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

// request is a call's header section with all that follows from it. It does not
// change, and calls share it.
type request struct {
	block  *transport.Block
	parsed protocol.Request
	route  *route
	codec  encoding.Codec
	// response is the fixed part of the response's header section.
	response     *transport.Block
	decompressor encoding.Compressor
	// rejection is the answer to what is not gRPC, failure the status of what
	// cannot be served.
	rejection *protocol.Rejection
	failure   error
}

func (r *request) messenger() messenger {
	limits := &r.route.server.limits
	return messenger{
		codec: r.codec, maxReceive: limits.receive, maxSend: limits.send,
		side: serverText, path: r.route.path,
	}
}

// memoSize is how many requests a server remembers. It bounds the memory: a
// header section has 16 KiB at most.
const memoSize = 128

// requestMemo remembers what followed from a Block, so that a request whose
// Block has been seen is not parsed again. An entry keeps its Block alive, so
// the address stays its own.
type requestMemo struct {
	seed    maphash.Seed
	entries [memoSize]atomic.Pointer[request]
}

func (m *requestMemo) entry(b *transport.Block) *atomic.Pointer[request] {
	return &m.entries[maphash.Comparable(m.seed, b)%memoSize]
}

// read returns what follows from a header section, and the call's timeout. What
// is shared belongs to other calls too.
func (s *Server) read(h *transport.Header) (r *request, timeout time.Duration, shared bool) {
	entry := s.memo.entry(h.Block)
	base := entry.Load()
	if base == nil || base.block != h.Block {
		base = &request{block: h.Block}
		base.parsed.Start(h.Block.Method, h.Block.Path)
		base.parsed.Add(h.Block.Fields)
		s.resolve(base)
		entry.Store(base)
	}
	if len(h.More) == 0 {
		return base, base.parsed.Timeout, true
	}
	if len(h.More) == 1 && h.More[0].Name == "grpc-timeout" && base.parsed.Timeout == protocol.NoTimeout && base.failure == nil {
		// Deadlines differ from call to call, and nothing else may.
		if timeout, err := protocol.ParseTimeout(h.More[0].Value); err == nil {
			return base, timeout, true
		}
	}
	own := &request{block: h.Block, parsed: base.parsed.Fork()}
	own.parsed.Add(h.More)
	s.resolve(own)
	return own, own.parsed.Timeout, false
}

// resolve finds out what a request asks for.
func (s *Server) resolve(r *request) {
	if err := r.parsed.Finish(); err != nil {
		if !errors.As(err, &r.rejection) {
			r.failure = err
		}
		subtype := r.parsed.Subtype
		if s.codec(subtype) == nil {
			// Nothing of the peer's goes into what is remembered and sent.
			subtype = ""
		}
		r.response = s.responses.get(subtype, "")
		return
	}
	if r.codec = s.codec(r.parsed.Subtype); r.codec == nil {
		r.rejection = s.rejectSubtype(r.parsed.Subtype)
		return
	}
	r.response = s.responses.get(r.parsed.Subtype, "")
	if r.route = s.routes[r.parsed.Path]; r.route == nil {
		r.failure = s.unknownMethod(&r.parsed)
		return
	}
	if r.parsed.Encoding == "" {
		return
	}
	if r.decompressor = findCompressor(s.accepted, r.parsed.Encoding); r.decompressor == nil {
		r.failure = &unknownEncoding{status.New(status.Unimplemented,
			"server: the request is compressed with "+quote(r.parsed.Encoding)+"; this server has: "+orNone(s.acceptNames))}
	}
}

// unknownEncoding is answered with a list of the known ones
// (https://github.com/grpc/grpc/blob/master/doc/compression.md).
type unknownEncoding struct{ error }

func (e *unknownEncoding) Unwrap() error { return e.error }

func orNone(list string) string {
	if list == "" {
		return "none"
	}
	return list
}

func (s *Server) codec(subtype string) encoding.Codec {
	if subtype == "" {
		return s.codecs[0]
	}
	for _, codec := range s.codecs {
		if codec.Name() == subtype {
			return codec
		}
	}
	return nil
}

func (s *Server) unknownMethod(r *protocol.Request) error {
	if _, known := s.services[r.Service]; !known {
		return status.New(status.Unimplemented, "unknown service "+quote(r.Service))
	}
	return status.New(status.Unimplemented, "unknown method "+quote(r.Method)+" of service "+r.Service)
}

// quote quotes what a peer has sent, and cuts it.
func quote(s string) string {
	const most = 128
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

// rejectSubtype is the answer to a codec that the server does not have
// (PROTOCOL-HTTP2: 415 for a content-type that is not supported).
func (s *Server) rejectSubtype(subtype string) *protocol.Rejection {
	names := make([]string, 0, len(s.codecs))
	for _, codec := range s.codecs {
		names = append(names, codec.Name())
	}
	text := "This gRPC server has no codec " + quote(subtype) + "; it has: " + strings.Join(names, ", ") + ".\n"
	return &protocol.Rejection{HTTPStatus: 415, Text: text, Fields: []protocol.Field{
		{Name: "content-type", Value: "text/plain; charset=utf-8"},
		{Name: "content-length", Value: strconv.Itoa(len(text))},
	}}
}

// ServeStream implements [transport.Handler].
func (v *served) ServeStream(stream transport.Stream, h *transport.Header) {
	s := v.server
	r, timeout, shared := s.read(h)
	switch {
	case r.rejection != nil:
		reject(stream, r.rejection)
		return
	case r.failure != nil:
		s.refuse(stream, r)
		return
	}
	peer := stream.Conn().Info()
	if r.route.unary != nil && timeout != 0 { // a deadline that has passed needs no handler
		call := &bareCall{request: r, stream: stream, peer: peer, served: v}
		call.serve(timeout)
		return
	}
	v.call(r, stream, peer, shared).serve(timeout)
}

// call makes a call. What it has of the request is its own unless the request is
// shared.
func (v *served) call(r *request, stream transport.Stream, peer *transport.ConnInfo, shared bool) *serverCall {
	call := &serverCall{request: r, stream: stream, served: v}
	call.Call = Call{Method: r.route.method, side: call, peer: peer}
	if call.RequestHeader = r.parsed.Metadata; shared {
		call.RequestHeader = r.parsed.Metadata.Clone() // the handler may change it
	}
	if kind := r.route.method.Kind; !kind.oneRequest() || !kind.oneResponse() || v.server.cfg.Observer != nil {
		call.extra = new(serverExtra)
	}
	return call
}

// Expect implements [transport.Expecter].
func (v *served) Expect(buffered []byte) int { return v.server.limits.demand(false)(buffered) }

// reject answers what is not gRPC in terms of HTTP.
func reject(stream transport.Stream, r *protocol.Rejection) {
	defer stream.Close()
	_ = stream.Send(context.Background(), &transport.Outgoing{
		Header: &transport.Header{Block: &transport.Block{Status: r.HTTPStatus, Fields: r.Fields}},
		Data:   []byte(r.Text),
		End:    true,
	})
}

// refuse answers a call that cannot be served with its status.
func (s *Server) refuse(stream transport.Stream, r *request) {
	defer stream.Close()
	shown, _ := status.ForPeer(r.failure)
	var more []transport.Field
	if _, ok := errors.AsType[*unknownEncoding](r.failure); ok {
		more = append(more, transport.Field{Name: "grpc-accept-encoding", Value: orIdentity(s.acceptNames)})
	}
	more, _, _ = protocol.AppendTrailer(more, shown, nil, -1)
	_ = stream.Send(context.Background(), &transport.Outgoing{
		Header: &transport.Header{Block: r.response, More: more}, End: true,
	})
}

func orIdentity(list string) string {
	if list == "" {
		return encoding.Identity
	}
	return list
}

// responseBlocks holds the fixed parts of responses, so that a transport sees
// the same Block again.
type responseBlocks struct {
	mu    sync.RWMutex
	known map[responseKey]*transport.Block
}

type responseKey struct{ subtype, encoding string }

// maxResponses bounds responseBlocks. Subtypes and encodings are the server's
// own, so it is not reached, unless a program has compressors without end.
const maxResponses = 64

func (b *responseBlocks) get(subtype, encoding string) *transport.Block {
	key := responseKey{subtype, encoding}
	b.mu.RLock()
	block := b.known[key]
	b.mu.RUnlock()
	if block != nil {
		return block
	}
	config := protocol.ResponseConfig{Subtype: subtype, Encoding: encoding}
	block = &transport.Block{Status: 200, Fields: config.AppendFields(nil)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if other := b.known[key]; other != nil {
		return other
	}
	if b.known == nil || len(b.known) >= maxResponses {
		b.known = make(map[responseKey]*transport.Block)
	}
	b.known[key] = block
	return block
}

// okTrailer says OK and nothing else.
var okTrailer = &transport.Block{Fields: []transport.Field{{Name: "grpc-status", Value: "0"}}}
