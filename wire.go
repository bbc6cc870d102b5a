package yodel

import (
	"context"
	"net"

	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// What follows is all that the RPC layer knows of HTTP/2.

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
	return &http2.Dialer{
		Handshaker:  secure,
		DialContext: cfg.DialContext,
		Config:      cfg.HTTP2,
		Registry:    cfg.Registry,
		Logger:      cfg.Logger,
	}, secure.Scheme()
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
