package yodel

import (
	"context"
	"sync"
)

// drivenCall is a call that CallUnary runs to its end through interceptors, in
// one piece of memory.
type drivenCall struct {
	Call
	callParams
	streams drivenStreams
}

// drivenStreams are the streams that were started for such a call, one unless an
// interceptor starts more. They need not be attached to the call's context:
// CallUnary sends and receives with it, and closes them all at the end.
type drivenStreams struct {
	mu    sync.Mutex
	first *clientStream
}

func (d *drivenStreams) add(s *clientStream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.driven, d.first = d.first, s
}

func (d *drivenStreams) close() {
	d.mu.Lock()
	s := d.first
	d.first = nil
	d.mu.Unlock()
	for ; s != nil; s = s.driven {
		_ = s.Close()
	}
}

// drive runs a unary call as CallUnary does where there are interceptors, or
// another Caller than a Channel.
func drive(ctx context.Context, caller Caller, m *Method, req, resp any, opts []CallOption) error {
	call := &drivenCall{}
	call.Method = m
	call.side = &call.callParams
	call.driven = &call.streams
	call.RequestHeader = call.apply(nil, opts)
	// Also when the program's own code panics.
	defer call.streams.close()
	stream, err := caller.Start(ctx, &call.Call)
	if err != nil {
		return err
	}
	err = exchange(stream, req, resp)
	_ = stream.Close()
	call.deliver(stream)
	call.deliverTrailer(stream)
	return err
}
