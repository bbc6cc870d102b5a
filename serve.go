package yodel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/yodelrpc/yodel/transport"
)

var (
	errShutdown      = errors.New("yodel: Serve after Shutdown: a server that was shut down cannot serve again, make another one")
	errNoCredentials = errors.New("yodel: ServerConfig.Credentials is nil: use credentials.Files or credentials.TLS for TLS, or credentials.Insecure for plaintext")
	errDrained       = errors.New("yodel: the server is shutting down, and the time for calls to finish has passed")
)

// afterCancel is how long Serve waits for handlers whose calls it has canceled.
const afterCancel = time.Second

// serving is one listener of a server.
type serving struct {
	server *Server
	lis    transport.Listener
	// ended is closed when lis.Serve has returned err.
	ended chan struct{}
	err   error
}

// served gives the streams of a listener to its server, with the context that
// Serve was given.
type served struct {
	server *Server
	// values has Serve's context without its cancellation.
	values context.Context
}

// Serve accepts connections from lis and serves them until ctx ends, or
// Shutdown. It then lets the calls in flight finish for
// ServerConfig.DrainTimeout, cancels those that are left, and returns nil if
// there were none. Handler contexts have ctx's values but not its end.
//
// Serve owns lis and closes it. It may be called for several listeners.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	if s.cfg.Credentials == nil {
		_ = lis.Close()
		return errNoCredentials
	}
	if err := s.ready(); err != nil {
		_ = lis.Close()
		return err
	}
	return s.ServeTransport(ctx, s.newListener(lis))
}

// ListenAndServe listens on the TCP address addr and serves it. For other
// networks use [net.Listen] and Serve.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("yodel: cannot listen on %s: %w", addr, err)
	}
	return s.Serve(ctx, lis)
}

// ServeTransport is Serve for a transport's own listener, such as
// transport/inproc's; credentials are that transport's concern.
func (s *Server) ServeTransport(ctx context.Context, lis transport.Listener) error {
	if err := s.ready(); err != nil {
		lis.Close(err)
		return err
	}
	v := &serving{server: s, lis: lis, ended: make(chan struct{})}
	if err := s.add(v); err != nil {
		lis.Close(err)
		return err
	}
	h := &served{server: s, values: context.WithoutCancel(ctx)}
	// It ends when the listener does: by Drain, or by Close.
	go func() {
		v.err = lis.Serve(h)
		s.remove(v)
		close(v.ended)
	}()
	select {
	case <-v.ended:
		return v.err
	case <-ctx.Done():
	}
	lis.Drain()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	return s.drain(drain, []*serving{v})
}

// ServeConn serves one connection that was accepted elsewhere, until it ends.
// When ctx ends, the calls in flight may finish for ServerConfig.DrainTimeout.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) error {
	if s.cfg.Credentials == nil {
		_ = conn.Close()
		return errNoCredentials
	}
	if err := s.ready(); err != nil {
		_ = conn.Close()
		return err
	}
	return s.ServeTransport(ctx, &connListener{server: s, raw: conn, drained: make(chan struct{})})
}

// Shutdown ends every Serve: no new calls, and those in flight may finish until
// ctx ends. It then cancels those that are left, and its error names their
// methods. A server cannot serve again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	all := make([]*serving, 0, len(s.serving))
	for v := range s.serving {
		all = append(all, v)
	}
	s.mu.Unlock()
	for _, v := range all {
		v.lis.Drain()
	}
	err := s.drain(ctx, all)
	if first {
		s.cfg.Registry.Remove(s.id)
	}
	return err
}

func (s *Server) add(v *serving) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errShutdown
	}
	s.serving[v] = struct{}{}
	return nil
}

func (s *Server) remove(v *serving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.serving, v)
}

// drain waits for listeners that are draining, until ctx ends. Then it closes
// them, which cancels their calls.
func (s *Server) drain(ctx context.Context, all []*serving) error {
	var err error
	for _, v := range all {
		select {
		case <-v.ended:
			continue
		case <-ctx.Done():
		}
		if err == nil {
			err = s.unfinished(ctx)
		}
		v.lis.Close(errDrained)
	}
	if err == nil {
		return nil
	}
	patience := time.NewTimer(afterCancel)
	defer patience.Stop()
	for _, v := range all {
		select {
		case <-v.ended:
		case <-patience.C:
			// A handler that does not look at its context is left behind.
			return err
		}
	}
	return err
}

// unfinished is the error for calls that had to be canceled.
func (s *Server) unfinished(ctx context.Context) error {
	stuck := s.stuck()
	if stuck == "" {
		stuck = "none, but connections that have not ended"
	}
	return fmt.Errorf("yodel: the server ended before its calls had; canceled: %s: %w", stuck, context.Cause(ctx))
}

// connListener is one connection in the shape of a listener.
type connListener struct {
	server  *Server
	raw     net.Conn
	drained chan struct{}
	once    sync.Once
}

var _ transport.Listener = (*connListener)(nil)

func (l *connListener) Serve(h transport.Handler) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// It ends with Serve, or with Drain.
	go func() {
		select {
		case <-l.drained:
			cancel()
		case <-ctx.Done():
		}
	}()
	return l.server.serveConn(ctx, l.raw, h)
}

func (l *connListener) Drain() {
	l.once.Do(func() { close(l.drained) })
}

func (l *connListener) Close(error) {
	l.Drain()
	_ = l.raw.Close()
}

func (l *connListener) Addr() net.Addr { return l.raw.LocalAddr() }
