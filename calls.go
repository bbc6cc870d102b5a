package yodel

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"

	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

var errSecondRange = errors.New("yodel: the responses of a call can be ranged over once; make another call")

// CallServerStream makes a call with one request and any number of responses.
// Ranging over the result starts the call; leaving the loop cancels it; nothing
// needs closing. An error is the call's status, and the last thing yielded; it
// comes with a zero Resp. A second range yields an error.
//
// newResp makes a message that is empty, here and in the functions below.
// req must not be changed before the range begins.
func CallServerStream[Resp any](ctx context.Context, caller Caller, m *Method, req any, newResp func() Resp, opts ...CallOption) iter.Seq2[Resp, error] {
	var used atomic.Bool
	return func(yield func(Resp, error) bool) {
		var none Resp
		if used.Swap(true) {
			yield(none, channelError(status.Internal, "client: "+m.Path(), errSecondRange))
			return
		}
		call := NewCall(m, opts...)
		stream, err := caller.Start(ctx, call)
		if err != nil {
			yield(none, err)
			return
		}
		defer func() {
			_ = stream.Close()
			call.deliverTrailer(stream)
		}()
		err = stream.Send(req)
		if err == nil {
			err = stream.CloseSend()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			yield(none, err)
			return
		}
		responses(call, stream, newResp, yield)
	}
}

// responses yields what a stream receives, and then its status unless that is
// OK.
func responses[Resp any](call *Call, stream Stream, newResp func() Resp, yield func(Resp, error) bool) {
	var none Resp
	for first := true; ; first = false {
		resp := newResp()
		err := receiveNew(stream, resp)
		if first {
			call.deliver(stream)
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(none, err)
			return
		}
		if !yield(resp, nil) {
			return
		}
	}
}

// CallClientStream starts a call with any number of requests and one response.
func CallClientStream[Req, Resp any](ctx context.Context, caller Caller, m *Method, newResp func() Resp, opts ...CallOption) (*ClientStream[Req, Resp], error) {
	call := NewCall(m, opts...)
	stream, err := caller.Start(ctx, call)
	if err != nil {
		return nil, err
	}
	return &ClientStream[Req, Resp]{stream: stream, call: call, newResp: newResp}, nil
}

// ClientStream is a call with any number of requests and one response. Send may
// be used by one goroutine; Header, Trailer and Close by any. Defer Close: it
// abandons a call that has not finished, and does nothing to one that has.
type ClientStream[Req, Resp any] struct {
	stream  Stream
	call    *Call
	newResp func() Resp
}

// Send sends a request, which may be changed as soon as Send returns. The error
// is the call's status, or io.EOF if the server has answered already:
// CloseAndReceive has the answer.
func (s *ClientStream[Req, Resp]) Send(req Req) error { return s.stream.Send(req) }

// CloseAndReceive ends the requests, waits for the response and ends the call.
// The error is the call's status.
func (s *ClientStream[Req, Resp]) CloseAndReceive() (Resp, error) {
	defer func() {
		_ = s.stream.Close()
		s.call.deliver(s.stream)
		s.call.deliverTrailer(s.stream)
	}()
	var none Resp
	if err := s.stream.CloseSend(); err != nil && !errors.Is(err, io.EOF) {
		return none, err
	}
	resp := s.newResp()
	err := receiveNew(s.stream, resp)
	if errors.Is(err, io.EOF) {
		err = channelError(status.Unimplemented, "client: the call of "+s.call.Method.Path()+" has no response, but its method has exactly one", nil)
	}
	if err != nil {
		return none, err
	}
	return resp, nil
}

// Close abandons the call unless it has finished. It returns nil.
func (s *ClientStream[Req, Resp]) Close() error { return s.stream.Close() }

// Header waits for the metadata of the response's header section.
func (s *ClientStream[Req, Resp]) Header() (metadata.MD, error) { return s.stream.Header() }

// Trailer returns the metadata that came with the status, once
// CloseAndReceive has returned.
func (s *ClientStream[Req, Resp]) Trailer() metadata.MD { return s.stream.Trailer() }

// CallBidiStream starts a call with any number of messages each way.
func CallBidiStream[Req, Resp any](ctx context.Context, caller Caller, m *Method, newResp func() Resp, opts ...CallOption) (*BidiStream[Req, Resp], error) {
	call := NewCall(m, opts...)
	stream, err := caller.Start(ctx, call)
	if err != nil {
		return nil, err
	}
	return &BidiStream[Req, Resp]{stream: stream, call: call, newResp: newResp}, nil
}

// BidiStream is a call with any number of messages each way. One goroutine may
// send while another receives; Header, Trailer and Close are for any. Defer
// Close: it abandons a call that has not finished, and does nothing to one that
// has.
type BidiStream[Req, Resp any] struct {
	stream  Stream
	call    *Call
	newResp func() Resp
	begun   bool
}

// Send sends a request, which may be changed as soon as Send returns. The error
// is the call's status, or io.EOF if the call has ended well already.
func (s *BidiStream[Req, Resp]) Send(req Req) error { return s.stream.Send(req) }

// CloseSend tells the server that no more requests follow.
func (s *BidiStream[Req, Resp]) CloseSend() error { return s.stream.CloseSend() }

// Receive returns the next response, io.EOF after the last one if the status is
// OK, and else the status.
func (s *BidiStream[Req, Resp]) Receive() (Resp, error) {
	resp := s.newResp()
	err := receiveNew(s.stream, resp)
	if !s.begun {
		s.begun = true
		s.call.deliver(s.stream)
	}
	if err != nil {
		s.call.deliverTrailer(s.stream)
		var none Resp
		return none, err
	}
	return resp, nil
}

// All yields the responses that are left, and then the status unless it is OK.
// Leaving the loop cancels the call.
func (s *BidiStream[Req, Resp]) All() iter.Seq2[Resp, error] {
	return func(yield func(Resp, error) bool) {
		defer func() { _ = s.stream.Close() }()
		for {
			resp, err := s.Receive()
			if errors.Is(err, io.EOF) || !yield(resp, err) || err != nil {
				return
			}
		}
	}
}

// Close abandons the call unless it has finished. It returns nil.
func (s *BidiStream[Req, Resp]) Close() error { return s.stream.Close() }

// Header waits for the metadata of the response's header section.
func (s *BidiStream[Req, Resp]) Header() (metadata.MD, error) { return s.stream.Header() }

// Trailer returns the metadata that came with the status, once Receive has
// returned an error.
func (s *BidiStream[Req, Resp]) Trailer() metadata.MD { return s.stream.Trailer() }
