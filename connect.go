package yodel

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

// The pauses between attempts to connect
// (https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md).
const (
	backoffFirst      = 1 * time.Second
	backoffFactor     = 1.6
	backoffMost       = 120 * time.Second
	backoffJitter     = 0.2
	minConnectTimeout = 20 * time.Second
)

// backoffAfter returns the time from the start of an attempt to that of the
// next one, after so many failures in a row, with jitter.
func backoffAfter(failures int) time.Duration {
	d := float64(backoffFirst)
	for range failures {
		if d *= backoffFactor; d >= float64(backoffMost) {
			d = float64(backoffMost)
			break
		}
	}
	return time.Duration(d * (1 + backoffJitter*(2*rand.Float64()-1)))
}

// pick returns the connection for a call, waiting for one if the channel's state
// says so (https://github.com/grpc/grpc/blob/master/doc/wait-for-ready.md). The
// error is a status.
func (c *Channel) pick(ctx context.Context, waitForReady bool) (transport.Conn, error) {
	s := c.snap.Load()
	if s.state == Ready {
		return s.conn, nil
	}
	for began := time.Now(); ; s = c.snap.Load() {
		switch s.state {
		case Ready:
			return s.conn, nil
		case Connecting:
			if s.conn != nil && !waitForReady {
				return s.conn, nil
			}
		case Shutdown:
			return nil, channelError(status.Canceled, "the channel is closed", errChannelClosed)
		case TransientFailure:
			if !waitForReady {
				return nil, channelError(status.Unavailable, "no connection to "+c.target.text, s.err)
			}
		case Idle:
			c.connect()
			continue
		}
		select {
		case <-c.changed(s):
		case <-ctx.Done():
			return nil, c.stillConnecting(ctx, began)
		}
	}
}

// stillConnecting is the status of a call whose context ended before there was a
// connection. It says what a plain "deadline exceeded" would hide: the server
// never saw the call, and why.
func (c *Channel) stillConnecting(ctx context.Context, began time.Time) error {
	s := c.snap.Load()
	text := "while it waited " + time.Since(began).String() + " for a connection to " + c.target.text +
		" (the server has not seen the call)"
	if s.err == nil {
		text += "; the attempt to connect has not failed yet"
	}
	return contextError(ctx, text, s.err)
}

// WaitReady connects, and returns nil as soon as the channel is Ready. It goes
// on through failed attempts until ctx ends, so give ctx a deadline; its error
// then wraps ctx's cause and the last attempt's error, which says the phase,
// the address and the cause (see [transport.DialError]).
func (c *Channel) WaitReady(ctx context.Context) error {
	began := time.Now()
	for {
		s := c.snap.Load()
		switch s.state {
		case Ready:
			return nil
		case Shutdown:
			return errChannelClosed
		case Idle:
			c.connect()
			continue
		}
		select {
		case <-c.changed(s):
		case <-ctx.Done():
			return &notReadyError{
				target: c.target.text, state: c.State(), waited: time.Since(began),
				ended: context.Cause(ctx), last: c.snap.Load().err,
			}
		}
	}
}

// notReadyError is what WaitReady waited for in vain.
type notReadyError struct {
	target      string
	state       State
	waited      time.Duration
	ended, last error
}

func (e *notReadyError) Error() string {
	text := "yodel: the channel to " + e.target + " is " + e.state.String() + " after " + e.waited.String()
	if e.last != nil {
		text += ": " + e.last.Error()
	}
	return text + ": " + e.ended.Error()
}

func (e *notReadyError) Unwrap() []error {
	if e.last == nil {
		return []error{e.ended}
	}
	return []error{e.last, e.ended}
}

// connect starts the connector if the channel is Idle.
func (c *Channel) connect() {
	c.mu.Lock()
	defer c.unlock()
	s := c.snap.Load()
	if s.state != Idle {
		return
	}
	c.setLocked(snapshot{state: Connecting, err: s.err})
	c.early = make(map[transport.Conn]error)
	c.life, c.end = context.WithCancel(context.Background())
	// The connector ends with the first connection, or with the channel.
	go c.connector(c.life, c.end)
}

// connector makes attempts until one succeeds or the channel is closed.
func (c *Channel) connector(life context.Context, end context.CancelFunc) {
	defer func() {
		end()
		c.mu.Lock()
		if c.life == life {
			c.life, c.end = nil, nil // a channel that is connected need not keep them
		}
		c.mu.Unlock()
	}()
	// A server that accepts and closes at once must not be asked more often
	// than one that refuses: attempts keep the first pause even after a success.
	if !pause(life, c.nextAttempt) {
		return
	}
	for failures := 0; ; failures++ {
		wait := backoffAfter(failures)
		began := time.Now()
		c.nextAttempt = began.Add(backoffAfter(0))
		ctx, cancel := context.WithTimeout(life, max(wait, minConnectTimeout))
		conn, err := c.dialAll(ctx)
		cancel()
		if err == nil {
			c.adopt(conn)
			return
		}
		c.mu.Lock()
		if c.snap.Load().state == Shutdown {
			c.unlock()
			return
		}
		c.setLocked(snapshot{state: TransientFailure, err: err})
		c.unlock()
		if !pause(life, began.Add(wait)) {
			return
		}
	}
}

// pause waits until a time, and tells whether the channel still lives.
func pause(life context.Context, until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return life.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-life.Done():
		return false
	}
}

// dialAll tries the endpoints in order. The error has each one's.
func (c *Channel) dialAll(ctx context.Context) (transport.Conn, error) {
	var failed causes
	for i, endpoint := range c.target.endpoints {
		events := &connEvents{ch: c, last: i == len(c.target.endpoints)-1}
		conn, err := c.dialer.Dial(ctx, endpoint, events, c.id)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	return nil, failed
}

// adopt makes conn the one that takes new streams.
func (c *Channel) adopt(conn transport.Conn) {
	c.mu.Lock()
	why, gone := c.early[conn]
	c.early = nil
	switch {
	case c.snap.Load().state == Shutdown:
		c.unlock()
		conn.Close(errChannelClosed)
		return
	case gone:
		c.setLocked(snapshot{state: Idle, err: why})
	default:
		c.conns = append(c.conns, conn)
		c.setLocked(snapshot{state: Ready, conn: conn})
	}
	c.unlock()
}

// drop stops the use of conn for new streams.
func (c *Channel) drop(conn transport.Conn, why error, ended bool) {
	c.mu.Lock()
	defer c.unlock()
	s := c.snap.Load()
	at := slices.Index(c.conns, conn)
	if at < 0 && c.early != nil {
		// It ended between its handshake and adopt.
		c.early[conn] = why
	}
	if at >= 0 && ended {
		c.conns = slices.Delete(c.conns, at, at+1)
	}
	switch {
	case s.conn != conn:
	case s.state == Ready:
		c.setLocked(snapshot{state: Idle, err: why})
	default:
		c.setLocked(snapshot{state: s.state, err: s.err})
	}
}

// connEvents is the channel as one of its connections knows it.
type connEvents struct {
	ch *Channel
	// last tells that there is no other endpoint to try.
	last bool
}

var _ transport.ConnEvents = (*connEvents)(nil)

// ConnOpen lets calls go before the connection is proven, if they would fail in
// any case should it turn out to be none.
func (e *connEvents) ConnOpen(conn transport.Conn) {
	c := e.ch
	c.mu.Lock()
	defer c.unlock()
	if s := c.snap.Load(); s.state == Connecting && e.last {
		c.setLocked(snapshot{state: Connecting, conn: conn, err: s.err})
	}
}

func (e *connEvents) ConnDraining(conn transport.Conn, err error) { e.ch.drop(conn, err, false) }

func (e *connEvents) ConnClosed(conn transport.Conn, err error) { e.ch.drop(conn, err, true) }

// unprocessed returns err as a *transport.Error if the server has certainly not
// acted on the call.
func unprocessed(err error) (*transport.Error, bool) {
	var te *transport.Error
	if !errors.As(err, &te) || !te.Unprocessed {
		return nil, false
	}
	return te, true
}
