package yodel

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// What follows is all that the RPC layer knows of HTTP/2.

// netDialer tries the next address family after 250 ms (gRFC A61).
var netDialer = net.Dialer{FallbackDelay: 250 * time.Millisecond}

// newDialer returns what makes a channel's connections, and the scheme of the
// requests on them.
func newDialer(cfg *ChannelConfig) (dialer transport.Dialer, scheme string) {
	if cfg.Dialer != nil {
		if s, ok := cfg.Dialer.(transport.Schemer); ok {
			return cfg.Dialer, s.Scheme()
		}
		return cfg.Dialer, "http"
	}
	secure := cfg.Credentials
	if secure == nil {
		secure = credentials.TLS(nil)
	}
	dial := cfg.DialContext
	if dial == nil {
		dial = netDialer.DialContext
	}
	d := &networkDialer{http2.Dialer{Handshaker: secure, DialContext: dial, Registry: cfg.Registry}}
	if cfg.HTTP2 != (http2.Config{}) { // most channels have no other, and it is large
		config := cfg.HTTP2
		d.Config = &config
	}
	return d, secure.Scheme()
}

// networkDialer tells a name that has no address from an address that does not
// answer: [net.Dialer] does both steps in one.
type networkDialer struct{ http2.Dialer }

func (d *networkDialer) Dial(ctx context.Context, e transport.Endpoint, events transport.ConnEvents, parent transport.ID) (transport.Conn, error) {
	conn, err := d.Dialer.Dial(ctx, e, events, parent)
	var failed *transport.DialError
	var lookup *net.DNSError
	if errors.As(err, &failed) && failed.Phase == transport.PhaseConnect && errors.As(err, &lookup) {
		err = &transport.DialError{Phase: transport.PhaseResolve, Address: failed.Address, Err: failed.Err}
	}
	return conn, err
}

func (s *Server) listenerConfig() http2.ListenerConfig {
	return http2.ListenerConfig{
		Handshaker: s.cfg.Credentials,
		Config:     s.cfg.HTTP2,
		Registry:   s.cfg.Registry,
		Parent:     s.id,
		Logger:     s.cfg.Logger,
	}
}

// newListener serves the connections of lis over HTTP/2.
func (s *Server) newListener(lis net.Listener) transport.Listener {
	return http2.NewListener(lis, s.listenerConfig())
}

// serveConn serves one connection over HTTP/2 until it ends; it drains when ctx
// ends.
func (s *Server) serveConn(ctx context.Context, raw net.Conn, h transport.Handler) error {
	return http2.ServeConn(ctx, raw, s.listenerConfig(), h)
}
