package grpcgo

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	grpccredentials "google.golang.org/grpc/credentials"
	grpcmetadata "google.golang.org/grpc/metadata"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/metadata"
)

// ClientConfig configures a [ClientConn]. The zero value adds nothing to the
// channel. It is copied by NewClientConn; its slices must not be changed.
type ClientConfig struct {
	// UnaryInterceptors and StreamInterceptors wrap calls; the first is the
	// outermost. The *grpc.ClientConn that they get is that of
	// [ClientConn.Concrete].
	UnaryInterceptors  []grpc.UnaryClientInterceptor
	StreamInterceptors []grpc.StreamClientInterceptor
	// CallOptions come before each call's own.
	CallOptions []grpc.CallOption
	// PerRPCCredentials add metadata to each call.
	PerRPCCredentials []grpccredentials.PerRPCCredentials
}

// ClientConn calls a channel the way grpc-go calls: it is what the constructors
// that protoc-gen-go-grpc generates want. It is safe for concurrent use.
type ClientConn struct {
	channel *yodel.Channel
	cfg     ClientConfig
	gzip    *encoding.Gzip
	// unary and stream are the interceptor chains; nil without interceptors.
	unary  grpc.UnaryInvoker
	stream grpc.Streamer

	mu      sync.Mutex
	methods map[methodKey]*yodel.Method
	// concrete is made when somebody needs it.
	concrete *grpc.ClientConn
	closed   bool
}

var _ grpc.ClientConnInterface = (*ClientConn)(nil)

// NewClientConn returns a ClientConn over channel, which stays the caller's to
// close.
func NewClientConn(channel *yodel.Channel, cfg ClientConfig) *ClientConn {
	c := &ClientConn{channel: channel, cfg: cfg, gzip: new(encoding.Gzip), methods: make(map[methodKey]*yodel.Method)}
	c.composeUnary()
	c.composeStream()
	return c
}

// composeUnary builds the chain of unary interceptors, once.
func (c *ClientConn) composeUnary() {
	if len(c.cfg.UnaryInterceptors) == 0 {
		return
	}
	c.unary = func(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		return c.invoke(ctx, method, req, reply, opts)
	}
	for _, v := range slices.Backward(c.cfg.UnaryInterceptors) {
		interceptor, next := v, c.unary
		c.unary = func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
			return interceptor(ctx, method, req, reply, cc, next, opts...)
		}
	}
}

// composeStream builds the chain of stream interceptors, once.
func (c *ClientConn) composeStream() {
	if len(c.cfg.StreamInterceptors) == 0 {
		return
	}
	c.stream = func(ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		return c.newStream(ctx, desc, method, opts)
	}
	for _, v := range slices.Backward(c.cfg.StreamInterceptors) {
		interceptor, next := v, c.stream
		c.stream = func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return interceptor(ctx, desc, cc, method, next, opts...)
		}
	}
}

// options puts the connection's options before a call's.
func (c *ClientConn) options(own []grpc.CallOption) []grpc.CallOption {
	if len(c.cfg.CallOptions) == 0 {
		return own
	}
	all := make([]grpc.CallOption, 0, len(c.cfg.CallOptions)+len(own))
	return append(append(all, c.cfg.CallOptions...), own...)
}

// Invoke implements [grpc.ClientConnInterface]: a unary call. The error is a
// grpc-go status.
func (c *ClientConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	opts = c.options(opts)
	if c.unary == nil {
		return c.invoke(ctx, method, args, reply, opts)
	}
	cc, err := c.Concrete()
	if err != nil {
		return err
	}
	return c.unary(ctx, method, args, reply, cc, opts...)
}

// NewStream implements [grpc.ClientConnInterface]. As with grpc-go, the stream
// is released by receiving its end or by the end of ctx.
func (c *ClientConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	opts = c.options(opts)
	if c.stream == nil {
		return c.newStream(ctx, desc, method, opts)
	}
	cc, err := c.Concrete()
	if err != nil {
		return nil, err
	}
	return c.stream(ctx, desc, cc, method, opts...)
}

// methodKey names a method as grpc-go's callers do.
type methodKey struct {
	path string
	kind yodel.Kind
}

// maxMethods bounds what is remembered, for programs that pass calls on whose
// methods others choose.
const maxMethods = 4096

// method returns the one value that stands for a method on this connection.
func (c *ClientConn) method(path string, kind yodel.Kind) (*yodel.Method, error) {
	key := methodKey{path, kind}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.methods[key]; m != nil {
		return m, nil
	}
	rest, slash := strings.CutPrefix(path, "/")
	service, name, ok := strings.Cut(rest, "/")
	if !slash || !ok || service == "" || name == "" {
		return nil, misused("the method " + quote(path) + ` is not of the form "/package.Service/Method"`)
	}
	if len(c.methods) >= maxMethods {
		clear(c.methods)
	}
	m := &yodel.Method{Service: service, Name: name, Kind: kind}
	c.methods[key] = m
	return m, nil
}

// request is a call that has not started.
type request struct {
	method   *yodel.Method
	header   metadata.MD
	settings *settings
}

// call returns the call for a channel to start.
func (r *request) call() *yodel.Call {
	call := yodel.NewCall(r.method, r.settings.options...)
	call.RequestHeader = r.header
	return call
}

// prepare reads what a call is given. The settings are there also with an
// error.
func (c *ClientConn) prepare(ctx context.Context, path string, kind yodel.Kind, opts []grpc.CallOption) (request, error) {
	var r request
	var err error
	if r.settings, err = c.settings(opts); err != nil {
		return r, err
	}
	if r.method, err = c.method(path, kind); err != nil {
		return r, err
	}
	if md, ok := grpcmetadata.FromOutgoingContext(ctx); ok {
		r.header = outgoing(md)
	}
	token, err := c.token(ctx, path, r.settings)
	if err != nil {
		return r, err
	}
	r.header = append(r.header, token...)
	return r, nil
}

// invoke makes a unary call inside the interceptors.
func (c *ClientConn) invoke(ctx context.Context, path string, args, reply any, opts []grpc.CallOption) error {
	r, err := c.prepare(ctx, path, yodel.UnaryKind, opts)
	s := r.settings
	if err != nil {
		s.finished(err)
		return err
	}
	args, reply = message(args), message(reply)
	if len(r.header) == 0 && !s.watched() {
		// Yodel's own way for unary calls makes no Stream.
		return toGRPC(yodel.CallUnary(ctx, c.channel, r.method, args, reply, s.options...))
	}
	call := r.call()
	stream, err := c.channel.Start(ctx, call)
	if err == nil {
		err = exchange(stream, args, reply)
		_ = stream.Close()
		s.deliver(call, stream)
	}
	err = toGRPC(err)
	s.finished(err)
	return err
}

// exchange sends the only request and receives the only response.
func exchange(stream yodel.Stream, args, reply any) error {
	err := stream.Send(args)
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err = stream.Receive(reply); errors.Is(err, io.EOF) {
		return misused("the call ended well without a response")
	}
	return err
}

// deliver stores what the options asked for, once the call has ended.
func (s *settings) deliver(call *yodel.Call, stream yodel.Stream) {
	if len(s.headers) > 0 {
		md, err := stream.Header()
		for _, to := range s.headers {
			if *to = nil; err == nil {
				*to = incoming(md)
			}
		}
	}
	for _, to := range s.trailers {
		*to = incoming(stream.Trailer())
	}
	if info := call.Peer(); info != nil {
		for _, to := range s.peers {
			*to = *newPeer(info)
		}
	}
}
