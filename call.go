package yodel

import (
	"context"
	"errors"
	"sync"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/transport"
)

// Call is one RPC. Its fields are the request side; its methods are safe for
// concurrent use, and may be called after the call has ended.
type Call struct {
	// Method is what is called. It must not be changed.
	Method *Method
	// RequestHeader is the request's metadata. On a client, interceptors may
	// add to it until they call the next Invoker. On a server it is what came,
	// and is the handler's.
	RequestHeader metadata.MD

	// side is *callParams on a client, if there are any, and a responder on a server.
	// The types of a server are not named here: the linker would keep them, with all
	// their methods, in every client.
	side any

	mu   sync.Mutex
	peer *transport.ConnInfo
	// outcome is nil while the call lives and nobody has asked to be told of its
	// end. A server makes a Call for each RPC: hence the pointer.
	outcome *outcome
}

// outcome is how a call has ended, or who is to be told.
type outcome struct {
	ended  bool
	result error
	onDone []func(error)
}

// endedOK is the usual outcome. It is not changed.
var endedOK = &outcome{ended: true}

// NewCall returns a call for a [Caller] to start.
func NewCall(m *Method, opts ...CallOption) *Call {
	if len(opts) == 0 {
		return &Call{Method: m}
	}
	made := &struct {
		Call
		callParams
	}{}
	made.Method = m
	made.side = &made.callParams
	made.RequestHeader = made.callParams.apply(nil, opts)
	return &made.Call
}

// Add applies more options to a call that has not started.
func (c *Call) Add(opts ...CallOption) {
	params := c.params()
	if params == nil {
		params = &callParams{}
		if c.side == nil { // a server's call has started: they are for nothing
			c.side = params
		}
	}
	c.RequestHeader = params.apply(c.RequestHeader, opts)
}

// params are a client's; nil if there are none.
func (c *Call) params() *callParams {
	params, _ := c.side.(*callParams)
	return params
}

// responder is what a server's call can do that a client's cannot.
type responder interface {
	setHeader(md metadata.MD) error
	sendHeader() error
	setTrailer(md metadata.MD) error
	setCompressor(compressor encoding.Compressor) error
}

var (
	errOnlyServer = errors.New("yodel: this is a method of a server's calls")
	errHeaderSent = errors.New("yodel: the response's header section has been sent already")
	errCallEnded  = errors.New("yodel: the call has ended already")
)

// SetHeader adds to the metadata of the response's header section, which is
// sent with the first message or the status. It is an error once it is sent,
// and if a field may not be sent.
func (c *Call) SetHeader(md metadata.MD) error {
	if r, ok := c.side.(responder); ok {
		return r.setHeader(md)
	}
	return errOnlyServer
}

// SendHeader sends the response's header section now.
func (c *Call) SendHeader() error {
	if r, ok := c.side.(responder); ok {
		return r.sendHeader()
	}
	return errOnlyServer
}

// SetTrailer adds to the metadata that is sent with the status. It is an error
// when the handler has returned, and if a field may not be sent.
func (c *Call) SetTrailer(md metadata.MD) error {
	if r, ok := c.side.(responder); ok {
		return r.setTrailer(md)
	}
	return errOnlyServer
}

// SetCompressor chooses what compresses the response's messages, if the client
// accepts it; nil compresses none. It is an error once the header section is
// sent.
func (c *Call) SetCompressor(compressor encoding.Compressor) error {
	if r, ok := c.side.(responder); ok {
		return r.setCompressor(compressor)
	}
	return errOnlyServer
}

// Peer describes the connection that carries the call. It is nil on a client
// until the call has one.
func (c *Call) Peer() *transport.ConnInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

func (c *Call) setPeer(info *transport.ConnInfo) {
	c.mu.Lock()
	c.peer = info
	c.mu.Unlock()
}

// OnDone has f called once, when the call has ended, with what it ended with:
// nil for OK. On a server that is what the handler returned. If the call has
// ended already, f is called at once.
func (c *Call) OnDone(f func(error)) {
	c.mu.Lock()
	if c.outcome == nil {
		c.outcome = new(outcome)
	}
	o := c.outcome
	if !o.ended {
		o.onDone = append(o.onDone, f)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	f(o.result)
}

// end records the result and calls whoever asked to be told. Only the first
// call counts.
func (c *Call) end(result error) {
	c.mu.Lock()
	tell := c.endLocked(result)
	c.mu.Unlock()
	for _, f := range tell {
		f(result)
	}
}

// endLocked records the result, and returns whom to tell of it.
func (c *Call) endLocked(result error) (tell []func(error)) {
	o := c.outcome
	switch {
	case o != nil && o.ended:
		return nil
	case o == nil && result == nil:
		c.outcome = endedOK
		return nil
	case o == nil:
		o = new(outcome)
		c.outcome = o
	}
	o.ended, o.result = true, result
	tell = o.onDone
	o.onDone = nil
	return tell
}

// callKey is the context key of a server's call.
type callKey struct{}

// CallFrom returns the call that a handler's context belongs to, and nil if
// there is none.
func CallFrom(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}
