package grpcgo

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

// clientStream is a call in flight as grpc-go's callers see it.
type clientStream struct {
	ctx      context.Context
	cancel   context.CancelFunc
	stream   yodel.Stream
	call     *yodel.Call
	settings *settings

	ended atomic.Bool
	// delivered is closed when what the options point to is the caller's again.
	delivered chan struct{}

	mu sync.Mutex
	// aborted is why SendMsg gave the call up.
	aborted error
}

var _ grpc.ClientStream = (*clientStream)(nil)

func quote(s string) string { return strconv.Quote(s) }

// kindOf returns the kind of calls that a description makes.
func kindOf(clientStreams, serverStreams bool) yodel.Kind {
	switch {
	case clientStreams && serverStreams:
		return yodel.BidiStreamKind
	case clientStreams:
		return yodel.ClientStreamKind
	case serverStreams:
		return yodel.ServerStreamKind
	}
	return yodel.UnaryKind
}

// newStream starts a call inside the interceptors.
func (c *ClientConn) newStream(ctx context.Context, desc *grpc.StreamDesc, path string, opts []grpc.CallOption) (grpc.ClientStream, error) {
	r, err := c.prepare(ctx, path, kindOf(desc.ClientStreams, desc.ServerStreams), opts)
	s := r.settings
	if err != nil {
		s.finished(err)
		return nil, err
	}
	call := r.call()
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.channel.Start(ctx, call)
	if err != nil {
		cancel()
		err = toGRPC(err)
		s.finished(err)
		return nil, err
	}
	cs := &clientStream{ctx: ctx, cancel: cancel, stream: stream, call: call, settings: s, delivered: make(chan struct{})}
	call.OnDone(func(result error) { cs.finished(toGRPC(result)) })
	return cs, nil
}

// finished does what is to be done at the end of the call, once: when the call
// says so, or when RecvMsg does, because an interceptor of the channel may have
// answered without a call.
func (s *clientStream) finished(result error) {
	if s.ended.Swap(true) {
		return
	}
	s.cancel()
	if aborted := s.why(); aborted != nil {
		result = aborted
	}
	if errors.Is(result, io.EOF) {
		result = nil
	}
	s.settings.deliver(s.call, s.stream)
	close(s.delivered)
	s.settings.finished(result)
}

// end is finished for what returns to the caller, who may then read what the
// options asked for: another goroutine, which saw the end of the context, may be
// at work on it.
func (s *clientStream) end(result error) {
	s.finished(result)
	<-s.delivered
}

func (s *clientStream) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.aborted
}

// Header returns nil without an error for a call that ended without headers;
// RecvMsg then has the reason.
func (s *clientStream) Header() (grpcmetadata.MD, error) {
	md, err := s.stream.Header()
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // as grpc-go has it
	}
	return incoming(md), nil
}

func (s *clientStream) Trailer() grpcmetadata.MD { return incoming(s.stream.Trailer()) }

// CloseSend returns nil: RecvMsg has the status of the call.
func (s *clientStream) CloseSend() error {
	_ = s.stream.CloseSend()
	return nil
}

// Context returns the call's context, which ends with the call. It has the peer
// once the call has one.
func (s *clientStream) Context() context.Context {
	if info := s.call.Peer(); info != nil {
		return peer.NewContext(s.ctx, newPeer(info))
	}
	return s.ctx
}

// SendMsg follows grpc-go's contract: where the call has ended already, io.EOF,
// and RecvMsg has the status; an error that this side made is returned, and
// ends the call.
func (s *clientStream) SendMsg(m any) error {
	err := s.stream.Send(message(m))
	kind := s.call.Method.Kind
	one := kind == yodel.ServerStreamKind || kind == yodel.UnaryKind
	switch {
	case err == nil && one:
		return s.CloseSend()
	case err == nil:
		return nil
	case errors.Is(err, io.EOF) && one:
		// Generated code wants to go on to RecvMsg.
		return nil
	case errors.Is(err, io.EOF), !one && s.lost(err):
		return io.EOF
	}
	return s.abort(toGRPC(err))
}

// lost tells an error of a call that has ended from one that this side made
// about a message.
func (s *clientStream) lost(err error) bool {
	if s.ended.Load() || s.ctx.Err() != nil {
		return true
	}
	var e *status.Error
	var te *transport.Error
	return errors.As(err, &e) && e.FromPeer() || errors.As(err, &te)
}

// abort ends the call with err, which SendMsg returns.
func (s *clientStream) abort(err error) error {
	s.mu.Lock()
	if s.aborted == nil {
		s.aborted = err
	}
	s.mu.Unlock()
	_ = s.stream.Close()
	s.end(err)
	return err
}

// RecvMsg returns io.EOF after an OK status, and else the status.
func (s *clientStream) RecvMsg(m any) error {
	err := s.stream.Receive(message(m))
	if err == nil {
		if kind := s.call.Method.Kind; kind == yodel.ClientStreamKind || kind == yodel.UnaryKind {
			// With the only response, the call has ended.
			s.end(nil)
		}
		return nil
	}
	if aborted := s.why(); aborted != nil {
		<-s.delivered
		return aborted
	}
	err = toGRPC(err)
	s.end(err)
	return err
}
