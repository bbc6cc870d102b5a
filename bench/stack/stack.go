// Package stack is the seam between the driver and what it measures: a stack
// serves one echo service and calls it. What differs between stacks is behind
// it, so that the load, the clocks and the statistics are the same code for
// all of them.
package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/yodelrpc/yodel/bench/benchpb"
)

// Options are what a row asks of both sides. The zero value is a stack's
// defaults over plaintext.
type Options struct {
	// Network is "tcp" or "unix".
	Network string
	// Certificates is the folder of WriteCertificates; empty means plaintext.
	Certificates string
	// Streams is how many streams one connection must be able to have at once;
	// zero leaves the stack's own limit.
	Streams int
	// Annotate sends two metadata entries with each unary call, which the
	// server reads, and puts an interceptor on both sides. The deadline is the
	// load's. Streams do not work with it.
	Annotate bool
	// Observe has both sides count calls, failures and bytes in the way that the stack
	// has for it. Only Yodel and grpc-go know it.
	Observe bool
	// Work is what a unary handler does besides answering.
	Work Work
}

// Stack is an RPC implementation, or a floor to compare with.
type Stack interface {
	// Name is how reports call it.
	Name() string
	// Serve serves lis until the process ends.
	Serve(lis net.Listener, o Options) error
	// Dial returns a client of the server at address. It may connect lazily.
	Dial(address string, o Options) (Conn, error)
}

// Conn is one connection of a stack that multiplexes, and a pool of them for
// one that does not. All methods are safe for concurrent use. What a stack
// cannot do fails with [errors.ErrUnsupported].
type Conn interface {
	// Say is a unary call.
	Say(ctx context.Context, req *benchpb.Msg) (*benchpb.Msg, error)
	// Chat opens a bidirectional stream.
	Chat(ctx context.Context) (Chat, error)
	// Down receives a server stream to its end, and gives each message to got.
	Down(ctx context.Context, req *benchpb.DownRequest, got func(*benchpb.Msg)) error
	// Up sends a message n times on a client stream, and returns the answer.
	Up(ctx context.Context, msg *benchpb.Msg, n int) (*benchpb.UpResponse, error)
	Close() error
}

// Chat is a bidirectional stream, used by one goroutine.
type Chat interface {
	// Exchange sends a message and receives its answer.
	Exchange(req *benchpb.Msg) (*benchpb.Msg, error)
	// Close ends the stream, and waits until the server has.
	Close() error
}

// The metadata entries of Options.Annotate.
const (
	TenantName, TenantValue = "x-tenant", "acme-industries"
	TraceName, TraceValue   = "x-trace-id", "4bf92f3577b34da6a3ce929d0e0e4736"
)

// Dialer makes raw connections of o's network, with TLS if o has it.
func Dialer(o Options) (func(ctx context.Context, address string) (net.Conn, error), error) {
	var config *tls.Config
	if o.Certificates != "" {
		var err error
		if config, err = ClientTLS(o.Certificates); err != nil {
			return nil, err
		}
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return func(ctx context.Context, address string) (net.Conn, error) {
		if config != nil {
			return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, o.Network, address)
		}
		return dialer.DialContext(ctx, o.Network, address)
	}, nil
}

// Listener adds TLS to lis if o has it.
func Listener(lis net.Listener, o Options) (net.Listener, error) {
	if o.Certificates == "" {
		return lis, nil
	}
	config, err := ServerTLS(o.Certificates)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(lis, config), nil
}

// UnaryOnly is the part of a Conn that a stack without streams lacks.
type UnaryOnly struct{}

// Chat fails.
func (UnaryOnly) Chat(context.Context) (Chat, error) { return nil, errors.ErrUnsupported }

// Down fails.
func (UnaryOnly) Down(context.Context, *benchpb.DownRequest, func(*benchpb.Msg)) error {
	return errors.ErrUnsupported
}

// Up fails.
func (UnaryOnly) Up(context.Context, *benchpb.Msg, int) (*benchpb.UpResponse, error) {
	return nil, errors.ErrUnsupported
}
