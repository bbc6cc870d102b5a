package h2

import "time"

// TooManyPings is the debug data of the GOAWAY with ENHANCE_YOUR_CALM that ends
// a connection for its PINGs. gRPC clients know it and slow down (gRFC A8).
const TooManyPings = "too_many_pings"

// PingPolicy is what a server lets a client do with PING (gRFC A8). A PING that
// follows HEADERS or DATA of ours is free, whatever its rate: that is how peers
// measure bandwidth. Others must be an interval apart.
type PingPolicy struct {
	interval, idleInterval time.Duration
	allowed, strikes       int
	free                   bool
	last                   time.Time
}

// NewPingPolicy returns the policy of a fresh connection. The limits must have
// been resolved.
func NewPingPolicy(l Limits) PingPolicy {
	p := PingPolicy{interval: l.PingInterval, idleInterval: l.IdlePingInterval, allowed: l.PingStrikes}
	if isOff(p.interval) {
		p.interval = 0
	}
	if isOff(p.idleInterval) {
		p.idleInterval = 0
	}
	return p
}

// Sent says that HEADERS or DATA went out, which forgives all PINGs so far.
func (p *PingPolicy) Sent() { p.free = true }

// Ping is a PING without ACK. idle says that no stream is open. Calm means to
// end the connection, with TooManyPings.
func (p *PingPolicy) Ping(idle bool, now time.Time) Verdict {
	interval := p.interval
	if idle {
		interval = p.idleInterval
	}
	early := !p.last.IsZero() && now.Sub(p.last) < interval
	p.last = now
	if p.free {
		p.free, p.strikes = false, 0
		return Verdict{}
	}
	if early {
		p.strikes++
	}
	return Verdict{Calm: p.strikes > p.allowed}
}
