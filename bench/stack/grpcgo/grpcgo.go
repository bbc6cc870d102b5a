// Package grpcgo is grpc-go as a stack, with the stubs that its generator
// writes.
package grpcgo

import (
	"context"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
)

// Stack is grpc-go with its defaults.
type Stack struct{}

var _ stack.Stack = Stack{}

// Name implements [stack.Stack].
func (Stack) Name() string { return "grpcgo" }

// Serve implements [stack.Stack].
func (Stack) Serve(lis net.Listener, o stack.Options) error {
	var options []grpc.ServerOption
	if o.Certificates != "" {
		config, err := stack.ServerTLS(o.Certificates)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	if o.Streams > 0 {
		options = append(options, grpc.MaxConcurrentStreams(uint32(o.Streams)))
	}
	if o.Annotate {
		options = append(options, grpc.UnaryInterceptor(readMetadata))
	}
	if o.Observe {
		options = append(options, grpc.StatsHandler(new(observer)))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&service, &echo{shared: stack.Echo{Work: o.Work}})
	return server.Serve(lis)
}

func readMetadata(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get(stack.TenantName); len(v) != 1 || v[0] != stack.TenantValue {
		return nil, status.Error(codes.InvalidArgument, "the tenant is missing")
	}
	if v := md.Get(stack.TraceName); len(v) != 1 || v[0] != stack.TraceValue {
		return nil, status.Error(codes.InvalidArgument, "the trace is missing")
	}
	return handler(ctx, req)
}

type echo struct{ shared stack.Echo }

func (e *echo) Say(_ context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	return e.shared.Say(req), nil
}

func (*echo) Chat(s grpc.BidiStreamingServer[benchpb.Msg, benchpb.Msg]) error {
	for {
		req, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Send(&benchpb.Msg{Body: req.GetBody()}); err != nil {
			return err
		}
	}
}

func (*echo) Down(req *benchpb.DownRequest, s grpc.ServerStreamingServer[benchpb.Msg]) error {
	msg := stack.Down(req)
	for range req.GetMessages() {
		if err := s.Send(msg); err != nil {
			return err
		}
	}
	return nil
}

func (*echo) Up(s grpc.ClientStreamingServer[benchpb.Msg, benchpb.UpResponse]) error {
	resp := &benchpb.UpResponse{}
	for {
		msg, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return s.SendAndClose(resp)
		}
		if err != nil {
			return err
		}
		resp.Messages++
		resp.Bytes += int64(len(msg.GetBody()))
	}
}

// Dial implements [stack.Stack].
func (Stack) Dial(address string, o stack.Options) (stack.Conn, error) {
	creds := insecure.NewCredentials()
	if o.Certificates != "" {
		config, err := stack.ClientTLS(o.Certificates)
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds)}
	c := &conn{}
	if o.Annotate {
		c.md = metadata.Pairs(stack.TenantName, stack.TenantValue, stack.TraceName, stack.TraceValue)
		options = append(options, grpc.WithUnaryInterceptor(passOn))
	}
	if o.Observe {
		watch := new(observer)
		c.counts = &watch.counts
		options = append(options, grpc.WithStatsHandler(watch))
	}
	target := "passthrough:///" + address
	if o.Network == "unix" {
		target = "unix:" + address
	}
	var err error
	if c.cc, err = grpc.NewClient(target, options...); err != nil {
		return nil, err
	}
	return c, nil
}

// passOn is the least that an interceptor is.
func passOn(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoker(ctx, method, req, reply, cc, opts...)
}

type conn struct {
	cc     *grpc.ClientConn
	md     metadata.MD
	counts *stack.Counts
}

// Counts returns what the client has counted; nil if it does not.
func (c *conn) Counts() *stack.Counts { return c.counts }

var _ stack.Conn = (*conn)(nil)

func (c *conn) Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	if c.md != nil {
		ctx = metadata.NewOutgoingContext(ctx, c.md)
	}
	resp := new(benchpb.Msg)
	if err := c.cc.Invoke(ctx, sayPath, req, resp, grpc.StaticMethod()); err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *conn) Chat(ctx context.Context) (stack.Chat, error) {
	s, err := c.cc.NewStream(ctx, &service.Streams[0], chatPath, grpc.StaticMethod())
	if err != nil {
		return nil, err
	}
	return &chat{&grpc.GenericClientStream[benchpb.Msg, benchpb.Msg]{ClientStream: s}}, nil
}

func (c *conn) Down(ctx context.Context, req *benchpb.DownRequest, got func(*benchpb.Msg)) error {
	s, err := c.cc.NewStream(ctx, &service.Streams[1], downPath, grpc.StaticMethod())
	if err != nil {
		return err
	}
	down := &grpc.GenericClientStream[benchpb.DownRequest, benchpb.Msg]{ClientStream: s}
	if err := down.ClientStream.SendMsg(req); err != nil {
		return err
	}
	if err := down.CloseSend(); err != nil {
		return err
	}
	for {
		msg, err := down.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		got(msg)
	}
}

func (c *conn) Up(ctx context.Context, msg *benchpb.Msg, n int) (*benchpb.UpResponse, error) {
	s, err := c.cc.NewStream(ctx, &service.Streams[2], upPath, grpc.StaticMethod())
	if err != nil {
		return nil, err
	}
	up := &grpc.GenericClientStream[benchpb.Msg, benchpb.UpResponse]{ClientStream: s}
	for range n {
		if err := up.Send(msg); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return up.CloseAndRecv()
}

func (c *conn) Close() error { return c.cc.Close() }

type chat struct {
	stream grpc.BidiStreamingClient[benchpb.Msg, benchpb.Msg]
}

func (c *chat) Exchange(req *benchpb.Msg) (*benchpb.Msg, error) {
	if err := c.stream.Send(req); err != nil {
		return nil, err
	}
	return c.stream.Recv()
}

func (c *chat) Close() error {
	if err := c.stream.CloseSend(); err != nil {
		return err
	}
	if _, err := c.stream.Recv(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
