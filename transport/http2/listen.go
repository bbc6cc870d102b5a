package http2

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// Listener accepts HTTP/2 connections. It implements [transport.Listener].
type Listener struct {
	lis       net.Listener
	cfg       ListenerConfig
	limits    Config
	id        transport.ID
	workers   workers
	offenders *offenders
	newcomers newcomers
	group     sync.WaitGroup // of connections

	mu       sync.Mutex
	open     map[net.Conn]*Conn // nil while the handshake lasts
	charged  map[string]uint64  // by connections that have ended
	draining bool
	closed   error
	stop     context.CancelFunc
}

var _ transport.Listener = (*Listener)(nil)

// NewListener serves what lis accepts, once Serve is called. The Listener owns
// lis.
func NewListener(lis net.Listener, cfg ListenerConfig) *Listener {
	l := &Listener{
		lis:     lis,
		cfg:     cfg,
		limits:  cfg.Config.withDefaults(h2.Server),
		open:    make(map[net.Conn]*Conn),
		charged: make(map[string]uint64),
	}
	l.offenders = newOffenders(l.limits.Limits)
	cfg.Registry.Add(&l.id, transport.Entity{Parent: cfg.Parent, Kind: "listener", Name: lis.Addr().String(), Member: l})
	return l
}

// Addr implements [transport.Listener].
func (l *Listener) Addr() net.Addr { return l.lis.Addr() }

// Serve implements [transport.Listener].
func (l *Listener) Serve(h transport.Handler) error {
	ctx, stop := context.WithCancel(context.Background())
	l.mu.Lock()
	l.stop = stop
	l.mu.Unlock()
	err := l.acceptAll(ctx, h)
	l.group.Wait()
	stop()
	l.workers.close()
	l.cfg.Registry.Remove(l.id)
	return err
}

// acceptAll accepts until the listener is closed. Running out of descriptors
// and the like passes: it waits a little and goes on.
func (l *Listener) acceptAll(ctx context.Context, h transport.Handler) error {
	const least, most = 5 * time.Millisecond, time.Second
	delay := least
	for {
		raw, err := l.lis.Accept()
		if err == nil {
			delay = least
			l.group.Add(1)
			go l.handshake(ctx, raw, h)
			continue
		}
		l.mu.Lock()
		ended := l.draining || l.closed != nil
		l.mu.Unlock()
		if ended {
			return nil
		}
		if temporary, ok := errors.AsType[interface {
			error
			Temporary() bool
		}](err); !ok || !temporary.Temporary() {
			l.Drain()
			return err
		}
		l.log("accepting a connection failed, will try again", err, "delay", delay)
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		delay = min(2*delay, most)
	}
}

// handshake makes a connection of what was accepted. Its goroutine ends with the
// handshake, and another one reads: a stack that has grown in the handshake would
// be kept for as long as the connection lasts.
func (l *Listener) handshake(ctx context.Context, raw net.Conn, h transport.Handler) {
	if !l.admit(raw) {
		_ = raw.Close()
		l.group.Done()
		return
	}
	c, err := accept(ctx, raw, l.cfg, &l.limits, l.id)
	if err != nil {
		l.remove(raw)
		l.log("a connection failed in its handshake", err, "remote", raw.RemoteAddr())
		l.group.Done()
		return
	}
	c.ended = func() {
		l.retire(raw, c)
		l.logEnd(c)
		l.group.Done()
	}
	c.serve(h, &l.workers)
	c.offenders = l.offenders
	c.start() // before anybody can drain it: SETTINGS come first (RFC 9113 §3.4)
	l.mu.Lock()
	l.open[raw] = c
	draining, closed := l.draining, l.closed
	l.mu.Unlock()
	switch {
	case closed != nil:
		c.Close(closed)
	case draining:
		c.Drain()
	}
	go c.serveLoop(&l.newcomers)
}

// accept runs a connection's security handshake.
func accept(ctx context.Context, raw net.Conn, cfg ListenerConfig, limits *Config, parent transport.ID) (*Conn, error) {
	setStallTimeout(raw, limits.StallTimeout)
	nc, auth, err := secure(ctx, limits, raw, func(ctx context.Context) (net.Conn, transport.AuthInfo, error) {
		if cfg.Handshaker == nil {
			return raw, nil, nil
		}
		return cfg.Handshaker.ServerHandshake(ctx, raw)
	})
	if err != nil {
		return nil, err
	}
	c := newConn(h2.Server, nc, auth, limits)
	c.registry = cfg.Registry
	cfg.Registry.Add(&c.info.ID, transport.Entity{Parent: parent, Kind: "connection", Name: raw.RemoteAddr().String(), Member: c})
	return c, nil
}

// serve says who serves the connection's streams.
func (c *Conn) serve(h transport.Handler, w *workers) {
	c.handler, c.workers = h, w
	if e, ok := h.(transport.Expecter); ok {
		c.expect = e.Expect
	}
}

// ServeConn serves one connection that was accepted elsewhere, until it ends.
// When ctx is done, the connection drains. The error says why the connection
// ended, nil if both sides were through.
func ServeConn(ctx context.Context, raw net.Conn, cfg ListenerConfig, h transport.Handler) error {
	limits := cfg.Config.withDefaults(h2.Server)
	c, err := accept(ctx, raw, cfg, &limits, cfg.Parent)
	if err != nil {
		return err
	}
	var w workers
	defer w.close()
	c.serve(h, &w)
	c.start()
	stop := context.AfterFunc(ctx, c.Drain)
	defer stop()
	go c.serveLoop(new(newcomers))
	<-c.done
	if unexpected(c.err) {
		return c.err
	}
	return nil
}

func (l *Listener) admit(raw net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining || l.closed != nil {
		return false
	}
	l.open[raw] = nil
	return true
}

func (l *Listener) remove(raw net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, raw)
}

// Drain implements [transport.Listener].
func (l *Listener) Drain() {
	l.end(nil)
	for _, c := range l.conns() {
		c.Drain()
	}
}

// Close implements [transport.Listener].
func (l *Listener) Close(cause error) {
	l.end(cause)
	for _, c := range l.conns() {
		c.Close(cause)
	}
}

// end stops accepting. Connections that are still in their handshake have
// nothing to lose and are closed.
func (l *Listener) end(cause error) {
	l.mu.Lock()
	l.draining = true
	if l.closed == nil {
		l.closed = cause
	}
	stop := l.stop
	l.mu.Unlock()
	if stop != nil {
		stop()
	} else {
		l.cfg.Registry.Remove(l.id) // nothing was served; else Serve does it
	}
	_ = l.lis.Close()
}

func (l *Listener) conns() []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connsLocked()
}

func (l *Listener) connsLocked() []*Conn {
	all := make([]*Conn, 0, len(l.open))
	for _, c := range l.open {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

func (l *Listener) logEnd(c *Conn) {
	if unexpected(c.err) {
		l.log("a connection ended", c.err, "remote", c.info.Remote)
	}
}

// unexpected tells whether a connection ended in another way than clients
// usually leave.
func unexpected(err *transport.Error) bool {
	return err != nil && err.Initiator != transport.User && !clientLeft(err.Err)
}

func (l *Listener) log(what string, err error, args ...any) {
	if l.cfg.Logger != nil {
		l.cfg.Logger.LogAttrs(context.Background(), slog.LevelWarn, what, append([]slog.Attr{slog.Any("error", err)}, slog.Group("", args...).Value.Group()...)...)
	}
}

// clientLeft tells errors of clients that close without a word, as most do.
func clientLeft(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET)
}
