package http2

import (
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// Keepalive notices that the other end is gone, if nothing else tells: a machine without
// power, a path that drops everything, a process that hangs. A connection that has been
// silent for a while asks with a PING, and ends if nothing comes then (gRFC A8).
type Keepalive struct {
	// Time is how long nothing must have come before a PING leaves, or up to a quarter
	// more. It is 10 s at least; negative never asks.
	//
	// Zero is 10 s on a client, which then sends no more PINGs than servers of gRPC
	// allow without being configured: two, and after five minutes the next, until the
	// server sends headers or a message. On a server zero never asks: the kernel does
	// (TCP keepalive), and a client that hangs costs nothing but memory.
	Time time.Duration
	// Timeout is how long then nothing may come. Zero is 7.5 s, so that a client's calls
	// on a connection that is gone end within 20 s.
	Timeout time.Duration
	// WithoutCalls asks also while no calls are in flight. Most servers answer it with a
	// GOAWAY, unless Time is two hours.
	WithoutCalls bool
}

// Defaults and least value of [Keepalive].
const (
	DefaultKeepaliveTime    = 10 * time.Second
	DefaultKeepaliveTimeout = 7500 * time.Millisecond
)

// keepalive is what a connection has of it while it has calls. Conn.mu guards it.
type keepalive struct {
	rule  h2.Keepalive
	timer *time.Timer
	armed bool
	// called is reading.turns when the last call began. If nothing has been read since,
	// the peer owes an answer, even if the call has given up.
	called uint64
	sent   uint64 // Conn.written when the last PING has been
}

// keptAliveLocked sees to it that a peer that says nothing to a new call is noticed.
func (c *Conn) keptAliveLocked() {
	k := c.alive
	if k != nil && k.armed {
		k.called = c.reading.turns
		return
	}
	if c.keepaliveTime() < 0 || c.err != nil {
		return
	}
	if k == nil {
		cfg := &c.cfg.Keepalive
		k = &keepalive{rule: h2.NewKeepalive(c.keepaliveTime(), cfg.Timeout, cfg.Time == 0)}
		c.alive = k
	}
	k.armed, k.called = true, c.reading.turns
	next := k.rule.Start(k.called, time.Now())
	if k.timer == nil {
		k.timer = time.AfterFunc(next, c.askPeer)
		return
	}
	k.timer.Reset(next)
}

// keepaliveTime is the configured one; negative is never.
func (c *Conn) keepaliveTime() time.Duration {
	switch t := c.cfg.Keepalive.Time; {
	case t == 0 && c.role == h2.Server:
		return -1
	case t >= 0:
		return max(t, DefaultKeepaliveTime)
	default:
		return t
	}
}

// askPeer looks whether something has been read, and asks or ends the connection if
// nothing has for long.
func (c *Conn) askPeer() {
	c.mu.Lock()
	k := c.alive
	if c.err != nil || k == nil || !c.expectsLocked() {
		c.unwatchLocked()
		c.mu.Unlock()
		return
	}
	ask, gone, next := k.rule.Look(c.reading.turns, c.written >= k.sent, time.Now())
	if gone {
		c.failLocked(frame.CodeNo, &transport.Error{
			Scope:  transport.ScopeConn,
			Reason: transport.ReasonLost,
			Text:   "the peer has fallen silent: nothing came within " + c.cfg.Keepalive.Timeout.String() + " after a PING",
		})
		c.flush()
		return
	}
	k.timer.Reset(next)
	if ask {
		c.out.bytes = frame.AppendPing(c.room(frameRoom), false, h2.PingKeepalive.Data())
		k.sent = c.queuedLocked()
		c.resumeLocked() // somebody must read the answer
	}
	c.flush()
}

// expectsLocked tells whether the peer is to say something some time.
func (c *Conn) expectsLocked() bool {
	return c.streams.len() > 0 || c.alive.called == c.reading.turns || c.cfg.Keepalive.WithoutCalls
}

// unwatchLocked lets the peer be silent, if it may be, until keptAliveLocked is called.
func (c *Conn) unwatchLocked() {
	k := c.alive
	if k == nil || c.err == nil && c.expectsLocked() {
		return
	}
	k.timer.Stop()
	k.armed = false
	if !k.rule.Asked() { // or it must be remembered
		c.alive = nil
	}
}

// timerOf is the timer, if there is one.
func (k *keepalive) timerOf() *time.Timer {
	if k == nil {
		return nil
	}
	return k.timer
}

// newsLocked notes that HEADERS or DATA have come.
func (c *Conn) newsLocked() {
	if c.alive != nil {
		c.alive.rule.News()
	}
}

// calmLocked has new connections ask less often, if a GOAWAY says that this one has asked
// too often (gRFC A8). It returns what to tell the program.
func (c *Conn) calmLocked(code frame.Code, debug string) string {
	if code != frame.CodeEnhanceYourCalm || debug != h2.TooManyPings || c.dialer == nil {
		return ""
	}
	c.dialer.askLess(c.cfg)
	return "; new connections ask less often than Config.Keepalive says"
}

// askLess doubles the time of Keepalive, once for each that connections have had. The
// default, which should have been well within what servers allow, becomes what they must.
func (d *Dialer) askLess(than *Config) {
	next := *than
	next.Keepalive.Time = 2 * max(next.Keepalive.Time, DefaultKeepaliveTime)
	if than.Keepalive.Time == 0 {
		next.Keepalive.Time = h2.DefaultPingInterval
	}
	d.resolved.CompareAndSwap(than, &next)
}
