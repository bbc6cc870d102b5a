package yodel

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"

	"github.com/yodelrpc/yodel/status"
)

// Route is a method and what handles its calls. The functions UnaryRoute and so
// on make one from a typed function.
type Route struct {
	Method *Method
	// Handler gets a Stream whose messages it decodes itself. A method with one
	// response sends it with Send before it returns nil.
	Handler Handler
	// unary, if it is not nil, does what Handler does for a call that is bare.
	unary func(*bareCall) (resp any, err error)
	// Err, if it is not nil, is why the route cannot be made. Serve returns it,
	// so that whoever makes routes from other descriptions needs no panic.
	Err error
}

// Registrar takes routes: a [Server].
type Registrar interface {
	Register(routes ...Route)
}

// UnaryRoute is a method with one message each way. newReq makes a message that is
// empty, here and in the functions below. What fn returns must not be changed any
// more.
func UnaryRoute[Req, Resp any](m *Method, newReq func() Req, fn func(context.Context, Req) (Resp, error)) Route {
	handler := func(ctx context.Context, _ *Call, stream Stream) error {
		req := newReq()
		if err := receiveRequest(stream, req); err != nil {
			return err
		}
		resp, err := fn(ctx, req)
		if err != nil {
			return err
		}
		return sendLast(stream, resp)
	}
	return Route{Method: m, Handler: handler, unary: func(call *bareCall) (any, error) {
		req := newReq()
		if err := call.receive(req); err != nil {
			return nil, err
		}
		return fn(call, req)
	}}
}

// ServerStreamRoute is a method with one request and any number of responses.
// send may be used by one goroutine at a time, and fails once fn has returned.
func ServerStreamRoute[Req, Resp any](m *Method, newReq func() Req, fn func(ctx context.Context, req Req, send func(Resp) error) error) Route {
	return Route{Method: m, Handler: func(ctx context.Context, _ *Call, stream Stream) error {
		req := newReq()
		if err := receiveRequest(stream, req); err != nil {
			return err
		}
		return fn(ctx, req, func(resp Resp) error { return stream.Send(resp) })
	}}
}

// ClientStreamRoute is a method with any number of requests and one response.
// in can be ranged over once, and ends when fn returns. If the requests end
// early, in yields why as its last error; fn should return that. What fn returns
// must not be changed any more.
func ClientStreamRoute[Req, Resp any](m *Method, newReq func() Req, fn func(ctx context.Context, in iter.Seq2[Req, error]) (Resp, error)) Route {
	return Route{Method: m, Handler: func(ctx context.Context, _ *Call, stream Stream) error {
		resp, err := fn(ctx, requests(stream, newReq))
		if err != nil {
			return err
		}
		return sendLast(stream, resp)
	}}
}

// BidiStreamRoute is a method with any number of messages each way. in is as of
// ClientStreamRoute, send as of ServerStreamRoute; both may be used at the same
// time.
func BidiStreamRoute[Req, Resp any](m *Method, newReq func() Req, fn func(ctx context.Context, in iter.Seq2[Req, error], send func(Resp) error) error) Route {
	return Route{Method: m, Handler: func(ctx context.Context, _ *Call, stream Stream) error {
		return fn(ctx, requests(stream, newReq), func(resp Resp) error { return stream.Send(resp) })
	}}
}

// sendLast sends the only response of a call, which nobody changes any more.
func sendLast(stream Stream, resp any) error {
	if s, ok := stream.(*serverCall); ok {
		return s.sendLast(resp)
	}
	return stream.Send(resp)
}

// receiveNew is stream.Receive for a message that is empty.
func receiveNew(stream Stream, msg any) error {
	switch s := stream.(type) {
	case *serverCall:
		return s.receiveInto(msg, true)
	case *clientStream:
		return s.receiveInto(msg, true)
	}
	return stream.Receive(msg)
}

// receiveRequest receives the only request of a call, into an empty message.
func receiveRequest(stream Stream, req any) error {
	err := receiveNew(stream, req)
	if errors.Is(err, io.EOF) {
		return status.New(status.Unimplemented, "server: the call has no request, but its method has exactly one")
	}
	return err
}

var errSecondRequests = errors.New("yodel: the requests of a call can be ranged over once")

// requests yields what a server's stream receives. Leaving the loop leaves the
// rest unread.
func requests[Req any](stream Stream, newReq func() Req) iter.Seq2[Req, error] {
	var used atomic.Bool
	return func(yield func(Req, error) bool) {
		var none Req
		if used.Swap(true) {
			yield(none, status.Make(status.FromChannel, status.Internal, "server", nil, errSecondRequests))
			return
		}
		for {
			req := newReq()
			err := receiveNew(stream, req)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(none, err)
				return
			}
			if !yield(req, nil) {
				return
			}
		}
	}
}

// route is a Route in a server that serves.
type route struct {
	server  *Server
	method  *Method
	path    string
	handler Handler
	// unary is nil if calls cannot be bare.
	unary func(*bareCall) (resp any, err error)
	// running counts the calls that run now.
	running atomic.Int64
}
