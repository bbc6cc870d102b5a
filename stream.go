package yodel

import (
	"context"

	"github.com/yodelrpc/yodel/metadata"
)

// Stream is one call in flight, of any kind, seen from either side.
// Interceptors, generated stubs and everything else are built on it.
//
// Send and CloseSend may be used by one goroutine, Receive by another one at
// the same time; Header, Trailer and Close by any.
type Stream interface {
	// Send sends a message, which may be changed as soon as Send returns. The
	// error is why the call can take no more messages: the call's own status,
	// or io.EOF if the call has ended well already and Receive has the answer.
	Send(msg any) error
	// CloseSend tells the peer that no more messages follow. A server does that
	// by returning, and there it does nothing.
	CloseSend() error
	// Receive decodes the next message into msg, which belongs to the caller.
	// It returns io.EOF after the last one: on a client when the status is OK,
	// on a server when the client has called CloseSend. Any other error is a
	// status, and stays.
	Receive(msg any) error
	// Header waits for the metadata of the peer's header section. On a server
	// it is there from the start. The MD is the caller's.
	Header() (metadata.MD, error)
	// Trailer returns the metadata that came with the status. It is valid after
	// Receive has returned an error; on a server it is nil.
	Trailer() metadata.MD
	// Close abandons the call if it has not finished, and releases it. It can
	// be called at any time, and more than once. A call that has received its
	// end needs no Close.
	Close() error
}

// Invoker starts a call. It does not run it to its end.
type Invoker func(ctx context.Context, call *Call) (Stream, error)

// ClientInterceptor wraps the start of every call of a channel; what it returns
// may wrap the Stream too. One shape fits all four kinds.
type ClientInterceptor func(next Invoker) Invoker

// Handler runs a call on a server. The error is the call's status; see package
// status for what of it the peer sees.
type Handler func(ctx context.Context, call *Call, stream Stream) error

// ServerInterceptor wraps the handling of every call of a server. It runs before
// any message is decoded.
type ServerInterceptor func(next Handler) Handler

// Caller starts calls: a [Channel], or a stand-in for one.
type Caller interface {
	Start(ctx context.Context, call *Call) (Stream, error)
}
