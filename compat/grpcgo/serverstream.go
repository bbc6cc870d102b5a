package grpcgo

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcmetadata "google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/yodelrpc/yodel"
)

// transportStream is a server's call as grpc.SetHeader, SendHeader, SetTrailer
// and Method find it in a context.
type transportStream struct {
	call *yodel.Call

	mu sync.Mutex
	// bad is why metadata could not be set where nobody was told.
	bad error
}

var _ grpc.ServerTransportStream = (*transportStream)(nil)

// Method returns "/package.Service/Method".
func (t *transportStream) Method() string { return t.call.Method.Path() }

func (t *transportStream) SetHeader(md grpcmetadata.MD) error {
	if md.Len() == 0 {
		return nil
	}
	return badMetadata(t.call.SetHeader(outgoing(md)))
}

func (t *transportStream) SendHeader(md grpcmetadata.MD) error {
	if err := t.SetHeader(md); err != nil {
		return err
	}
	return badMetadata(t.call.SendHeader())
}

func (t *transportStream) SetTrailer(md grpcmetadata.MD) error {
	if md.Len() == 0 {
		return nil
	}
	return badMetadata(t.call.SetTrailer(outgoing(md)))
}

// failed returns the first error that could not be returned where it came up.
func (t *transportStream) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bad
}

func (t *transportStream) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bad == nil {
		t.bad = err
	}
}

func badMetadata(err error) error {
	if err == nil {
		return nil
	}
	return grpcstatus.Error(codes.Internal, "grpcgo: the metadata cannot be sent: "+err.Error())
}

// serverStream is a server's call as grpc-go's handlers see it.
type serverStream struct {
	ctx       context.Context
	transport *transportStream
	stream    yodel.Stream
}

var _ grpc.ServerStream = (*serverStream)(nil)

func (s *serverStream) Context() context.Context { return s.ctx }

func (s *serverStream) SetHeader(md grpcmetadata.MD) error { return s.transport.SetHeader(md) }

func (s *serverStream) SendHeader(md grpcmetadata.MD) error { return s.transport.SendHeader(md) }

// SetTrailer cannot say that md cannot be sent; the call then ends with INTERNAL
// where the handler returns nil.
func (s *serverStream) SetTrailer(md grpcmetadata.MD) {
	if err := s.transport.SetTrailer(md); err != nil {
		s.transport.fail(err)
	}
}

func (s *serverStream) SendMsg(m any) error { return toGRPC(s.stream.Send(message(m))) }

func (s *serverStream) RecvMsg(m any) error { return toGRPC(s.stream.Receive(message(m))) }
