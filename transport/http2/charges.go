package http2

import (
	"maps"
	"net"
)

// Charges returns how often the connection's peer has done, or made this side
// do, what costs something and is of no use to anybody, under the names of the
// acts:
//
//	reset           RST_STREAM before the response headers
//	provoked_reset  a stream reset for its peer's fault
//	refused_stream  a stream above the limits
//	empty_data      DATA without data
//	unknown_frame   a frame of an unknown type
//	priority        PRIORITY
//	empty_headers   a header section without fields, or an interim response
//	late_frame      a header section for a stream that is gone
//	settings        SETTINGS
//
// What has not happened is left out. See [Limits] for what many of them lead to.
func (c *Conn) Charges() map[string]uint64 {
	sum := make(map[string]uint64)
	c.addCharges(sum)
	return sum
}

func (c *Conn) addCharges(sum map[string]uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.budget != nil {
		c.budget.AddCounts(sum)
	}
}

// Charges returns the sum of [Conn.Charges] over all connections that the
// listener has had. A [transport.Registry] knows the listeners and connections
// of a server: they are the members of its entities.
func (l *Listener) Charges() map[string]uint64 {
	l.mu.Lock()
	sum := maps.Clone(l.charged)
	conns := l.connsLocked()
	l.mu.Unlock()
	for _, c := range conns {
		c.addCharges(sum)
	}
	return sum
}

// retire forgets a connection that has ended, and keeps what it was charged.
func (l *Listener) retire(raw net.Conn, c *Conn) {
	charged := c.Charges()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, raw)
	for act, n := range charged {
		l.charged[act] += n
	}
}
