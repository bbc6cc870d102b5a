// Package yodelgo is Yodel as a stack.
package yodelgo

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/bench/benchpb"
	"github.com/yodelrpc/yodel/bench/stack"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport/http2"
)

// Stack is Yodel, with its defaults unless Configure changes them.
type Stack struct {
	Label string
	// Configure changes the configuration of connections on both sides; nil
	// changes nothing.
	Configure func(*http2.Config)
}

var _ stack.Stack = Stack{}

// Name implements [stack.Stack].
func (s Stack) Name() string { return s.Label }

func (s Stack) config(o stack.Options) http2.Config {
	var cfg http2.Config
	if o.Streams > 0 {
		cfg.Limits.ConcurrentStreams, cfg.Limits.RunningHandlers = o.Streams, o.Streams
	}
	if s.Configure != nil {
		s.Configure(&cfg)
	}
	return cfg
}

// Serve implements [stack.Stack].
func (s Stack) Serve(lis net.Listener, o stack.Options) error {
	cfg := yodel.ServerConfig{Credentials: credentials.Insecure(), HTTP2: s.config(o)}
	if o.Certificates != "" {
		config, err := stack.ServerTLS(o.Certificates)
		if err != nil {
			return err
		}
		cfg.Credentials = credentials.TLS(config)
	}
	if o.Annotate {
		cfg.Interceptors = []yodel.ServerInterceptor{readMetadata}
	}
	if o.Observe {
		cfg.Observer = new(observer)
	}
	server := yodel.NewServer(cfg)
	benchpb.RegisterEcho(server, &echo{shared: stack.Echo{Work: o.Work}})
	return server.Serve(context.Background(), lis)
}

func readMetadata(next yodel.Handler) yodel.Handler {
	return func(ctx context.Context, call *yodel.Call, s yodel.Stream) error {
		if tenant, _ := call.RequestHeader.Get(stack.TenantName); tenant != stack.TenantValue {
			return status.New(status.InvalidArgument, "the tenant is missing")
		}
		if trace, _ := call.RequestHeader.Get(stack.TraceName); trace != stack.TraceValue {
			return status.New(status.InvalidArgument, "the trace is missing")
		}
		return next(ctx, call, s)
	}
}

type echo struct{ shared stack.Echo }

var _ benchpb.EchoServer = (*echo)(nil)

// Say implements benchpb.EchoServer.
func (e *echo) Say(_ context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	return e.shared.Say(req), nil
}

// Chat implements benchpb.EchoServer.
func (*echo) Chat(_ context.Context, in iter.Seq2[*benchpb.Msg, error], send func(*benchpb.Msg) error) error {
	for req, err := range in {
		if err != nil {
			return err
		}
		if err := send(&benchpb.Msg{Body: req.GetBody()}); err != nil {
			return err
		}
	}
	return nil
}

// Down implements benchpb.EchoServer.
func (*echo) Down(_ context.Context, req *benchpb.DownRequest, send func(*benchpb.Msg) error) error {
	msg := stack.Down(req)
	for range req.GetMessages() {
		if err := send(msg); err != nil {
			return err
		}
	}
	return nil
}

// Up implements benchpb.EchoServer.
func (*echo) Up(_ context.Context, in iter.Seq2[*benchpb.Msg, error]) (*benchpb.UpResponse, error) {
	resp := &benchpb.UpResponse{}
	for msg, err := range in {
		if err != nil {
			return nil, err
		}
		resp.Messages++
		resp.Bytes += int64(len(msg.GetBody()))
	}
	return resp, nil
}

// Dial implements [stack.Stack].
func (s Stack) Dial(address string, o stack.Options) (stack.Conn, error) {
	cfg := yodel.ChannelConfig{Credentials: credentials.Insecure(), HTTP2: s.config(o)}
	if o.Certificates != "" {
		config, err := stack.ClientTLS(o.Certificates)
		if err != nil {
			return nil, err
		}
		cfg.Credentials = credentials.TLS(config)
	}
	c := &conn{}
	if o.Annotate {
		cfg.Interceptors = []yodel.ClientInterceptor{passOn}
		c.options = []yodel.CallOption{
			yodel.Header(stack.TenantName, stack.TenantValue),
			yodel.Header(stack.TraceName, stack.TraceValue),
		}
	}
	if o.Observe {
		watch := new(observer)
		c.counts, cfg.Observer = &watch.counts, watch
	}
	target := address
	if o.Network == "unix" {
		target = "unix:" + address
	}
	var err error
	if c.channel, err = yodel.NewChannel(target, cfg); err != nil {
		return nil, err
	}
	c.client = benchpb.NewEchoClient(c.channel)
	return c, nil
}

// passOn is the least that an interceptor is.
func passOn(next yodel.Invoker) yodel.Invoker {
	return func(ctx context.Context, call *yodel.Call) (yodel.Stream, error) { return next(ctx, call) }
}

type conn struct {
	channel *yodel.Channel
	client  benchpb.EchoClient
	options []yodel.CallOption
	counts  *stack.Counts
}

// Counts returns what the client has counted; nil if it does not.
func (c *conn) Counts() *stack.Counts { return c.counts }

var _ stack.Conn = (*conn)(nil)

func (c *conn) Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error) {
	return c.client.Say(ctx, req, c.options...)
}

func (c *conn) Chat(ctx context.Context) (stack.Chat, error) {
	s, err := c.client.Chat(ctx)
	if err != nil {
		return nil, err
	}
	return &chat{s}, nil
}

func (c *conn) Down(ctx context.Context, req *benchpb.DownRequest, got func(*benchpb.Msg)) error {
	for msg, err := range c.client.Down(ctx, req) {
		if err != nil {
			return err
		}
		got(msg)
	}
	return nil
}

func (c *conn) Up(ctx context.Context, msg *benchpb.Msg, n int) (*benchpb.UpResponse, error) {
	s, err := c.client.Up(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for range n {
		if err := s.Send(msg); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return s.CloseAndReceive()
}

func (c *conn) Close() error { return c.channel.Close() }

type chat struct {
	stream *yodel.BidiStream[*benchpb.Msg, *benchpb.Msg]
}

func (c *chat) Exchange(req *benchpb.Msg) (*benchpb.Msg, error) {
	if err := c.stream.Send(req); err != nil {
		return nil, err
	}
	return c.stream.Receive()
}

func (c *chat) Close() error {
	if err := c.stream.CloseSend(); err != nil {
		return err
	}
	if _, err := c.stream.Receive(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
