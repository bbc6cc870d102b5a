package connectgo

import (
	"context"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
	"github.com/yodelrpc/yodel/bench/stack/nethttp"
)

// What protoc-gen-connect-go would write for the service.
var (
	methods  = benchpb.File_protos_bench_proto.Services().ByName("Echo").Methods()
	saySpec  = connect.Spec{StreamType: connect.StreamTypeUnary, Schema: methods.ByName("Say"), Procedure: "/yodel.bench.Echo/Say"}
	chatSpec = connect.Spec{StreamType: connect.StreamTypeBidi, Schema: methods.ByName("Chat"), Procedure: "/yodel.bench.Echo/Chat"}
	downSpec = connect.Spec{StreamType: connect.StreamTypeServer, Schema: methods.ByName("Down"), Procedure: "/yodel.bench.Echo/Down"}
	upSpec   = connect.Spec{StreamType: connect.StreamTypeClient, Schema: methods.ByName("Up"), Procedure: "/yodel.bench.Echo/Up"}
)

// Dial implements [stack.Stack].
func (s Stack) Dial(address string, o stack.Options) (stack.Conn, error) {
	t, url, err := nethttp.Transport(address, o)
	if err != nil {
		return nil, err
	}
	var interceptors []connect.ClientInterceptor
	if o.Annotate {
		interceptors = append(interceptors, passOn)
	}
	client := connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: t}, url, s.options()...), interceptors...)
	return &conn{transport: t, client: client, annotate: o.Annotate}, nil
}

// passOn is the least that an interceptor is.
func passOn(next connect.ClientFunc) connect.ClientFunc {
	return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) { return next(ctx, spec) }
}

type conn struct {
	transport *http.Transport
	client    *connect.Client
	annotate  bool
}

var _ stack.Conn = (*conn)(nil)

func (c *conn) Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	if c.annotate {
		var info *connect.CallInfo
		ctx, info = connect.NewClientContext(ctx)
		info.RequestHeader().Set(stack.TenantName, stack.TenantValue)
		info.RequestHeader().Set(stack.TraceName, stack.TraceValue)
	}
	var resp benchpb.Msg
	if err := c.client.CallUnary(ctx, saySpec, req, &resp); err != nil {
		return nil, err
	}
	return &resp, nil
}

func (c *conn) Chat(ctx context.Context) (stack.Chat, error) {
	s, err := c.client.CallClientStream(ctx, chatSpec)
	if err != nil {
		return nil, err
	}
	return &chat{s}, nil
}

func (c *conn) Down(ctx context.Context, req *benchpb.DownRequest, got func(*benchpb.Msg)) error {
	s, err := c.client.CallServerStream(ctx, downSpec, req)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		msg := new(benchpb.Msg)
		if err := s.Receive(msg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		got(msg)
	}
}

func (c *conn) Up(ctx context.Context, msg *benchpb.Msg, n int) (*benchpb.UpResponse, error) {
	s, err := c.client.CallClientStream(ctx, upSpec)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for range n {
		if err := s.Send(msg); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	if err := s.CloseSend(); err != nil {
		return nil, err
	}
	var resp benchpb.UpResponse
	if err := s.Receive(&resp); err != nil {
		return nil, err
	}
	return &resp, nil
}

func (c *conn) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

type chat struct{ stream connect.ClientStream }

func (c *chat) Exchange(req *benchpb.Msg) (*benchpb.Msg, error) {
	if err := c.stream.Send(req); err != nil {
		return nil, err
	}
	resp := new(benchpb.Msg)
	return resp, c.stream.Receive(resp)
}

func (c *chat) Close() error {
	defer c.stream.Close()
	if err := c.stream.CloseSend(); err != nil {
		return err
	}
	if err := c.stream.Receive(new(benchpb.Msg)); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
