package yodel

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/envelope"
	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/transport"
)

// bareCall is a call with one message each way, on a server without interceptors: what
// it takes to answer it, and its handler's context. Most handlers are quick, and ask
// nothing of the call; for those that do, a serverCall is made. It is never reused:
// handlers may keep their context.
type bareCall struct {
	request *request
	// stream is not touched when the call has ended.
	stream transport.Stream
	peer   *transport.ConnInfo
	served *served
	// extra has the deadline, and is nil without one.
	extra *contextExtra
	// whole is nil until somebody asks for more, and &bareEnded if nobody had when the
	// call ended.
	whole atomic.Pointer[serverCall]
}

// bareEnded stands for the serverCall that there has been no need for. It is no pointer: a
// client would link what makes it, with all that a server has.
var bareEnded serverCall

var _ context.Context = (*bareCall)(nil)

func (b *bareCall) owner() *Server { return b.served.server }

// serve runs the call.
func (b *bareCall) serve(timeout time.Duration) {
	route := b.request.route
	route.running.Add(1)
	defer route.running.Add(-1)
	if timeout != protocol.NoTimeout {
		b.extra = &contextExtra{deadline: time.Now().Add(timeout)}
		b.extra.timer = time.AfterFunc(timeout, b.expire)
	}
	var data, bulk []byte
	err := errExited
	// Also when the handler ends its goroutine.
	defer func() { b.finish(data, bulk, err) }()
	data, bulk, err = b.run()
}

func (b *bareCall) expire() { b.full().expire() }

// run calls the handler, and encodes what it returns. A panic is this call's alone.
func (b *bareCall) run() (data, bulk []byte, err error) {
	if !b.owner().cfg.CrashOnPanic {
		defer b.owner().recovered(b.request.route.method, &err)
	}
	resp, err := b.request.route.unary(b)
	if err != nil {
		return nil, nil, err
	}
	if s := b.known(); s != nil { // the handler may have chosen a compressor
		return nil, nil, s.sendLast(resp)
	}
	m := b.request.messenger()
	return m.sealLent(resp, nil)
}

// receive decodes the request into msg, which is empty.
func (b *bareCall) receive(msg any) error {
	limits := &b.owner().limits
	var in inbox
	if err := in.fill(context.Background(), b.stream, limits.demand(true)); err != nil {
		return b.full().lost(err)
	}
	env, n, err := envelope.Parse(in.lent, limits.receive)
	if err != nil || n == 0 || n > smallRequest || n < len(in.lent) || !in.ended {
		return b.full().decodeRequest(&in, msg, true)
	}
	m := b.request.messenger()
	return m.open(env, b.request.decompressor, msg, true)
}

// finish sends the sealed response and the status, which end the call.
func (b *bareCall) finish(data, bulk []byte, err error) {
	scratches := &b.owner().scratches
	if err != nil || !b.whole.CompareAndSwap(nil, &bareEnded) {
		s := b.full()
		if data != nil { // and so sendLast has not been called: the answer is nobody else's
			s.answer = scratches.borrow()
			s.answer.out.Data, s.answer.out.Bulk = data, bulk
		}
		s.finish(err)
		return
	}
	if b.extra != nil {
		b.extra.timer.Stop()
	}
	sc := scratches.borrow()
	sc.head.Block, sc.trailer.Block = b.request.response, okTrailer
	sc.out = transport.Outgoing{Header: &sc.head, Data: data, Bulk: bulk, Trailer: &sc.trailer, Close: true}
	if err := b.stream.Send(context.Background(), &sc.out); err != nil {
		b.stream.Close() // the client has gone, or wants what nobody can send
	}
	buffer.Put(data)
	scratches.give(sc)
}

// known returns the serverCall if there is one.
func (b *bareCall) known() *serverCall {
	if s := b.whole.Load(); s != &bareEnded {
		return s
	}
	return nil
}

// full returns the serverCall, which it makes if need be.
func (b *bareCall) full() *serverCall {
	for {
		s := b.whole.Load()
		if s != nil && s != &bareEnded {
			return s
		}
		made := b.served.call(b.request, b.stream, b.peer, true)
		if b.extra != nil {
			made.ctxExtra.Store(b.extra)
		}
		if s == &bareEnded {
			made.stream, made.phase, made.outcome = nil, phaseClosed, endedOK
			made.ctxState.Store(uint32(contextCanceled))
		}
		if b.whole.CompareAndSwap(s, made) {
			return made
		}
	}
}

func (b *bareCall) Deadline() (time.Time, bool) {
	if b.extra != nil {
		return b.extra.deadline, true
	}
	return time.Time{}, false
}

func (b *bareCall) Done() <-chan struct{} { return b.full().context().Done() }

func (b *bareCall) Err() error { return b.full().context().Err() }

func (b *bareCall) Value(key any) any {
	if key == (callKey{}) {
		return &b.full().Call
	}
	if s := b.known(); s != nil {
		return s.context().Value(key)
	}
	return b.served.values.Value(key)
}

// String is as callContext's.
func (b *bareCall) String() string { return b.full().context().String() }

// AfterFunc is as callContext's.
func (b *bareCall) AfterFunc(f func()) (stop func() bool) { return b.full().context().AfterFunc(f) }
