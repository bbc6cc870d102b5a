package http2

import (
	"context"
	"log/slog"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/internal/h2"
	"github.com/yodelrpc/yodel/transport"
)

// Defaults of [Config].
const (
	// DefaultStreamWindow is how much a stream's peer may send ahead of the
	// reader at first; it grows with the bandwidth-delay product, and up to 8 MiB
	// while a fast reader waits because of it.
	DefaultStreamWindow = 256 << 10
	// DefaultConnWindow is the same for the whole connection.
	DefaultConnWindow = 1 << 20
	// DefaultMaxUnread is how many bytes that nobody waits for may lie on one
	// connection before the peer gets no more credit.
	DefaultMaxUnread = 4 << 20
	// DefaultMaxQueued is how many unsent bytes may wait on one connection
	// before senders wait.
	DefaultMaxQueued = 1 << 20
	// DefaultStallTimeout is how long the kernel may accept no byte before the
	// connection is taken for dead.
	DefaultStallTimeout = 20 * time.Second
	// drainPingTime is how long a draining server waits for the client to have
	// seen the first GOAWAY before it sends the final one.
	drainPingTime = 5 * time.Second
)

// Limits bounds what a peer can make this side hold or do. In every field zero
// means the default, and a negative value that there is no limit.
type Limits = h2.Limits

// Config configures one connection. The zero value of each field is its
// default, and a negative value switches that limit off.
type Config struct {
	Limits Limits
	// StreamWindow and ConnWindow are the initial receive windows, in bytes,
	// at most 1 GiB.
	StreamWindow, ConnWindow int
	// MaxUnread bounds received bytes that nobody waits for.
	MaxUnread int
	// MaxQueued bounds bytes that wait to be written.
	MaxQueued int
	// StallTimeout is how long the peer may accept no byte.
	StallTimeout time.Duration
	// Keepalive asks whether a silent peer is still there.
	Keepalive Keepalive
	// NoSpin lets readers sleep at once when there is nothing to read. Else they
	// look for some 100 µs first, as long as that mostly pays: calls that come
	// one after the other are several times faster, and a core is busy meanwhile.
	NoSpin bool
	// NoInline runs every handler on a goroutine of its own. Else those of
	// requests that have come whole run on the connection's reader, one after the
	// other, as long as such handlers are quick; one that is not holds up what
	// else arrives on the connection for 10 ms at most.
	NoInline bool
	// AwaitSettings keeps a client from opening streams before the server's
	// SETTINGS are in. Else the calls that wait for a connection leave together
	// with its preface (RFC 9113 §3.4), a round trip earlier; a server that is none
	// for HTTP/2 has their requests then.
	AwaitSettings bool
}

// ListenerConfig configures a [Listener] or [ServeConn].
type ListenerConfig struct {
	// Handshaker secures accepted connections; nil leaves them as they are.
	Handshaker transport.Handshaker
	Config     Config
	// Registry and Parent place connections under a server.
	Registry *transport.Registry
	Parent   transport.ID
	// Logger hears of connections that could not be accepted; nil is silent.
	Logger *slog.Logger
}

// Dialer makes client connections over TCP and unix sockets. The zero value is
// plaintext and ready to use. It must not be changed, nor copied, once it has
// been used. It implements [transport.Dialer].
type Dialer struct {
	// Handshaker secures connections; nil leaves them as they are.
	Handshaker transport.Handshaker
	// DialContext makes the raw connection; nil uses a [net.Dialer].
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Config is the connections'; nil is the defaults.
	Config *Config
	// Registry gives connections their ids.
	Registry *transport.Registry

	resolved  atomic.Pointer[Config]
	newcomers newcomers
}

var (
	_ transport.Dialer  = (*Dialer)(nil)
	_ transport.Schemer = (*Dialer)(nil)
)

func (cfg Config) withDefaults(role h2.Role) Config {
	cfg.Limits = cfg.Limits.Resolve(role)
	set := func(p *int, byDefault, most int) {
		if *p == 0 {
			*p = byDefault
		} else if *p < 0 {
			*p = most
		}
		*p = min(*p, most)
	}
	set(&cfg.StreamWindow, DefaultStreamWindow, h2.MaxRecvWindow)
	set(&cfg.ConnWindow, DefaultConnWindow, h2.MaxRecvWindow)
	set(&cfg.MaxUnread, DefaultMaxUnread, math.MaxInt)
	set(&cfg.MaxQueued, DefaultMaxQueued, math.MaxInt)
	if cfg.StallTimeout == 0 {
		cfg.StallTimeout = DefaultStallTimeout
	}
	if cfg.Keepalive.Timeout <= 0 {
		cfg.Keepalive.Timeout = DefaultKeepaliveTimeout
	}
	return cfg
}
