package grpcgo

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var (
	errClosed = misused("the ClientConn is closed")
	errDialed = errors.New("grpcgo: this *grpc.ClientConn stands for a channel of Yodel's, and makes no connections of its own")
)

// Concrete returns a *grpc.ClientConn whose calls go over the channel, for code
// that wants that type and not the interface. It is always the same one, and
// ends with Close.
//
// Invoke, NewStream and Target do what they say, and so does everything that is
// built on them. It never connects, so the rest tells nothing of the channel:
// its state stays IDLE unless something calls Connect, which fails.
func (c *ClientConn) Concrete() (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, errClosed
	case c.concrete != nil:
		return c.concrete, nil
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithIdleTimeout(0),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, errDialed }),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return c.Invoke(ctx, method, req, reply, opts...)
		}),
		grpc.WithStreamInterceptor(func(
			ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, method string, _ grpc.Streamer, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return c.NewStream(ctx, desc, method, opts...)
		}),
	}
	cc, err := grpc.NewClient(c.channel.Target(), options...)
	if err != nil {
		// It is no target of grpc-go's; one that is not looked at will do.
		cc, err = grpc.NewClient("passthrough:///"+c.channel.Target(), options...)
	}
	if err != nil {
		return nil, misused("no *grpc.ClientConn can be made: " + err.Error())
	}
	c.concrete = cc
	return cc, nil
}

// Close releases what Concrete made. The channel stays open, and so do calls
// that have begun. It is not needed where there are no interceptors and nobody
// has called Concrete.
func (c *ClientConn) Close() error {
	c.mu.Lock()
	concrete := c.concrete
	c.concrete, c.closed = nil, true
	c.mu.Unlock()
	if concrete == nil {
		return nil
	}
	return concrete.Close()
}
