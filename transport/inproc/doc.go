// Package inproc carries calls inside one process: the semantics of a network
// transport (flow control, limits, draining, resets) without sockets.
//
// A [Listener] is both ends: a server serves it, and a channel dials it. Nothing
// here touches the network or the clock, so a client, a server and everything
// between them can live in one testing/synctest bubble.
package inproc

import (
	"net"

	"github.com/yodelrpc/yodel/transport"
)

// The limits that a zero [Config] stands for. They are the ones that the
// network transports promise, so that what passes here passes there.
const (
	// DefaultMaxConcurrentStreams bounds the handlers that run for one
	// connection.
	DefaultMaxConcurrentStreams = 1000
	// DefaultWindowBytes is how much one direction of a stream holds for a
	// reader that asks for less.
	DefaultWindowBytes = 64 << 10
	// DefaultMaxRequestHeaderBytes and DefaultMaxRequestHeaderFields bound what
	// a server receives.
	DefaultMaxRequestHeaderBytes  = 16 << 10
	DefaultMaxRequestHeaderFields = 128
	// DefaultMaxResponseHeaderBytes and DefaultMaxResponseHeaderFields bound
	// what a client receives.
	DefaultMaxResponseHeaderBytes  = 64 << 10
	DefaultMaxResponseHeaderFields = 256
)

// Config holds the limits of a [Listener]'s connections. The zero value is
// safe and means the defaults.
type Config struct {
	// MaxConcurrentStreams is how many streams a connection serves at once;
	// Open waits when it is reached. A stream counts until its handler has
	// returned. Zero means DefaultMaxConcurrentStreams.
	MaxConcurrentStreams int
	// WindowBytes is how many bytes a direction of a stream buffers before Send
	// waits, unless its reader demands more. Zero means DefaultWindowBytes.
	WindowBytes int
	// Name is the listener's address; it shows in errors. Empty means "inproc".
	Name string
	// Registry knows the listener and its connections; nil is none.
	Registry *transport.Registry
	// Parent is the ID of the server in Registry.
	Parent transport.ID
}

func (c *Config) setDefaults() {
	if c.MaxConcurrentStreams <= 0 {
		c.MaxConcurrentStreams = DefaultMaxConcurrentStreams
	}
	if c.WindowBytes <= 0 {
		c.WindowBytes = DefaultWindowBytes
	}
	if c.Name == "" {
		c.Name = "inproc"
	}
}

// Protocol is the [transport.ConnInfo] protocol of these connections, and the
// security protocol of their [Auth].
const Protocol = "inproc"

// Auth is the [transport.AuthInfo] of an in-process connection: nothing leaves
// the process, so both ends may be trusted with secrets.
type Auth struct{}

// SecurityProtocol returns "inproc".
func (Auth) SecurityProtocol() string { return Protocol }

// Addr is the address of a [Listener] and of both ends of its connections.
type Addr string

// Network returns "inproc".
func (Addr) Network() string { return Protocol }

func (a Addr) String() string { return string(a) }

var (
	_ transport.AuthInfo = Auth{}
	_ net.Addr           = Addr("")
)
