// Package connectgo is connect-go as a stack, speaking gRPC over net/http.
package connectgo

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
	"github.com/yodelrpc/yodel/bench/stack/nethttp"
)

// Stack is connect-go. By default it compresses every message with gzip; Plain
// switches that off on both sides.
type Stack struct {
	Label string
	Plain bool
}

var _ stack.Stack = Stack{}

// Name implements [stack.Stack].
func (s Stack) Name() string { return s.Label }

func (s Stack) options() []connecthttp.Option {
	options := []connecthttp.Option{connecthttp.WithGRPC()}
	if s.Plain {
		options = append(options, connecthttp.WithCompressors())
	}
	return options
}

// Serve implements [stack.Stack].
func (s Stack) Serve(lis net.Listener, o stack.Options) error {
	var interceptors []connect.ServerInterceptor
	if o.Annotate {
		interceptors = append(interceptors, readMetadata)
	}
	server := connect.NewServer(interceptors...)
	e := &echo{shared: stack.Echo{Work: o.Work}}
	server.Register(
		connect.Method{Spec: saySpec, Handler: e.say},
		connect.Method{Spec: chatSpec, Handler: e.chat},
		connect.Method{Spec: downSpec, Handler: e.down},
		connect.Method{Spec: upSpec, Handler: e.up},
	)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server, s.options()...)
	return nethttp.Serve(lis, o, mux)
}

func readMetadata(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		info, _ := connect.CallInfoForServerContext(ctx)
		header := info.RequestHeader()
		if header.Get(stack.TenantName) != stack.TenantValue || header.Get(stack.TraceName) != stack.TraceValue {
			return connect.NewError(connect.CodeInvalidArgument, "the metadata is missing")
		}
		return next(ctx, spec, stream)
	}
}

type echo struct{ shared stack.Echo }

func (e *echo) say(_ context.Context, _ connect.Spec, s connect.ServerStream) error {
	var req benchpb.Msg
	if err := s.Receive(&req); err != nil {
		return err
	}
	return s.Send(e.shared.Say(&req))
}

func (*echo) chat(_ context.Context, _ connect.Spec, s connect.ServerStream) error {
	for {
		var req benchpb.Msg
		if err := s.Receive(&req); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.Send(&benchpb.Msg{Body: req.GetBody()}); err != nil {
			return err
		}
	}
}

func (*echo) down(_ context.Context, _ connect.Spec, s connect.ServerStream) error {
	var req benchpb.DownRequest
	if err := s.Receive(&req); err != nil {
		return err
	}
	msg := stack.Down(&req)
	for range req.GetMessages() {
		if err := s.Send(msg); err != nil {
			return err
		}
	}
	return nil
}

func (*echo) up(_ context.Context, _ connect.Spec, s connect.ServerStream) error {
	resp := &benchpb.UpResponse{}
	for {
		var msg benchpb.Msg
		if err := s.Receive(&msg); errors.Is(err, io.EOF) {
			return s.Send(resp)
		} else if err != nil {
			return err
		}
		resp.Messages++
		resp.Bytes += int64(len(msg.GetBody()))
	}
}
