package http2

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// Dial implements [transport.Dialer].
func (d *Dialer) Dial(ctx context.Context, e transport.Endpoint, events transport.ConnEvents, parent transport.ID) (transport.Conn, error) {
	cfg := d.limits()
	dial := d.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	raw, err := dial(ctx, e.Network, e.Address)
	if err != nil {
		return nil, &transport.DialError{Phase: transport.PhaseConnect, Address: e.Address, Err: err}
	}
	setStallTimeout(raw, cfg.StallTimeout)
	nc, auth, err := secure(ctx, cfg, raw, func(ctx context.Context) (net.Conn, transport.AuthInfo, error) {
		h := d.Handshaker
		if e.Handshaker != nil {
			h = e.Handshaker
		}
		if h == nil {
			return raw, nil, nil
		}
		return h.ClientHandshake(ctx, raw, e.ServerName)
	})
	if err != nil {
		return nil, &transport.DialError{Phase: transport.PhaseSecurity, Address: e.Address, Err: err}
	}
	c := newConn(h2.Client, nc, auth, cfg)
	c.dialer, c.registry = d, d.Registry
	d.Registry.Add(&c.info.ID, transport.Entity{Parent: parent, Kind: "connection", Name: e.Address, Member: c})
	c.dialing = true
	c.start()
	if events != nil && !cfg.AwaitSettings {
		events.ConnOpen(c)
		runtime.Gosched() // who has waited for it may send with the preface
	}
	c.mu.Lock()
	c.flush()
	err = c.awaitReady(ctx, &d.newcomers)
	go c.readLoop()
	if err != nil {
		c.Close(err)
		return nil, &transport.DialError{Phase: transport.PhaseSettings, Address: e.Address, Err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, &transport.DialError{Phase: transport.PhaseSettings, Address: e.Address, Err: c.err}
	}
	c.events = events
	return c, nil
}

// earlyStreams is how many streams may be opened before the server has said how
// many it allows: as many as it should at least (RFC 9113 §6.5.2).
const earlyStreams = 100

var clientDefaults = Config{}.withDefaults(h2.Client)

// limits returns the configuration that the Dialer's connections share.
func (d *Dialer) limits() *Config {
	if cfg := d.resolved.Load(); cfg != nil {
		return cfg
	}
	if d.Config == nil || *d.Config == (Config{}) {
		d.resolved.Store(&clientDefaults)
		return &clientDefaults
	}
	cfg := d.Config.withDefaults(h2.Client)
	d.resolved.CompareAndSwap(nil, &cfg)
	return d.resolved.Load()
}

// Scheme implements [transport.Schemer].
func (d *Dialer) Scheme() string {
	if d.Handshaker == nil {
		return "http"
	}
	return d.Handshaker.Scheme()
}

// secure runs a security handshake within its time, and closes raw if it fails.
func secure(ctx context.Context, cfg *Config, raw net.Conn, handshake func(context.Context) (net.Conn, transport.AuthInfo, error)) (net.Conn, transport.AuthInfo, error) {
	if cfg.Limits.HandshakeTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, cfg.Limits.HandshakeTime,
			errors.New("the handshake was not complete within "+cfg.Limits.HandshakeTime.String()))
		defer cancel()
	}
	nc, auth, err := handshake(ctx)
	if err != nil {
		_ = raw.Close()
		return nil, nil, err
	}
	return nc, auth, nil
}

// awaitReady reads until the peer's first SETTINGS are in: before them a server
// may turn out to be something else altogether (gRPC's connection backoff asks
// for it). Calls may have left by then, which end with the connection. Reading here
// saves waking two goroutines.
func (c *Conn) awaitReady(ctx context.Context, others *newcomers) error {
	stop := context.AfterFunc(ctx, func() { c.Close(context.Cause(ctx)) })
	defer stop()
	defer c.endDialing()
	for looked := c.raw == nil; c.reader.first; looked = true {
		c.armDeadline()
		var n int
		var err error
		if looked {
			n, err = c.fill()
		} else {
			n, err = c.lookFirst(others)
		}
		if n > 0 && !c.failed() {
			c.parse()
		}
		if err != nil {
			c.fail(frame.CodeNo, c.readError(err))
		}
		if c.failed() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return c.err
		}
	}
	return nil
}

// endDialing lets a connection that has failed linger.
func (c *Conn) endDialing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialing = false
	if c.err != nil && c.err.Reason != transport.ReasonLost {
		_ = c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	}
}
