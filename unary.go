package yodel

import (
	"context"
	"errors"
	"io"

	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// CallUnary makes a call with one message each way, and decodes the answer into
// resp, which holds nothing of use if the error is not nil. The error is the
// call's status.
//
// With a *Channel that has neither interceptors nor an Observer nothing is made for the call but
// what the transport makes; the semantics are those of the Stream.
func CallUnary(ctx context.Context, caller Caller, m *Method, req, resp any, opts ...CallOption) error {
	if c, ok := caller.(*Channel); ok && c.invoker == nil && c.observer == nil {
		return c.unary(ctx, m, req, resp, opts)
	}
	return drive(ctx, caller, m, req, resp, opts)
}

// exchange sends the only request of a call and receives its only response.
func exchange(stream Stream, req, resp any) error {
	err := stream.Send(req)
	if err == nil {
		err = stream.CloseSend()
	}
	// After an io.EOF the answer is there already.
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	err = stream.Receive(resp)
	if errors.Is(err, io.EOF) {
		return channelError(status.Unimplemented, "client: the call has no response, but its method has exactly one", nil)
	}
	return err
}

// deliver does what ReceiveHeader asked for. The stream has received something,
// or has been closed: there is nothing to wait for.
func (c *Call) deliver(stream Stream) {
	p := c.params()
	if p == nil || p.receiveHeader == nil {
		return
	}
	if md, err := stream.Header(); err == nil {
		*p.receiveHeader = md
	}
}

// deliverTrailer does what ReceiveTrailer asked for.
func (c *Call) deliverTrailer(stream Stream) {
	if p := c.params(); p != nil && p.receiveTrailer != nil {
		*p.receiveTrailer = stream.Trailer()
	}
}

// unary makes a unary call without a Stream.
func (c *Channel) unary(ctx context.Context, m *Method, req, resp any, opts []CallOption) (err error) {
	if ctx.Err() != nil {
		return contextError(ctx, "before the call was sent", nil)
	}
	a := c.borrowAttempt()
	var params callParams
	// Also when the codec, which is the program's, panics.
	defer c.endUnary(a, &params)

	var md metadata.MD
	if len(opts) > 0 {
		md = params.apply(nil, opts)
	}
	a.awaitsEnd, a.atOnce = true, true
	if err := a.begin(c, m, &params, md); err != nil {
		return err
	}
	if a.body, a.bulk, err = a.sealLent(req); err != nil {
		return err
	}
	for {
		if err := a.open(ctx, nil, a.body, a.bulk, true); err != nil {
			return err
		}
		err, raw := a.receiveOnly(ctx, resp, false, nil)
		if !raw {
			return err
		}
		if !a.again(a.stream.Conn(), err) {
			return a.failure(ctx, err)
		}
		a.stream.Close()
		a.stream = nil
		a.returned()
	}
}

// endUnary delivers what the options asked for, and gives the attempt back.
func (c *Channel) endUnary(a *attempt, params *callParams) {
	if p := params.receiveHeader; p != nil && a.parsed {
		*p = a.headerMetadata()
	}
	if p := params.receiveTrailer; p != nil {
		*p = a.trailer
	}
	c.giveAttempt(a)
}
