package yodel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// version is this library's, as it shows in user-agent.
const version = "0.1.0-dev"

// ChannelConfig configures a [Channel]. The zero value is safe: TLS with the
// system's roots, limited messages, gzip accepted, nothing logged. It is copied
// by NewChannel.
type ChannelConfig struct {
	// Credentials secure connections. Nil means TLS that verifies the server
	// with the system's roots; plaintext is credentials.Insecure().
	Credentials transport.Handshaker
	// Authority is what requests call the server, and the name that its
	// certificate must have. Empty means the target's host and port.
	Authority string
	// UserAgent goes before this library's own in the user-agent field.
	UserAgent string
	// Codec encodes messages; nil means encoding.Proto.
	Codec encoding.Codec
	// Compressor compresses the requests' messages; nil compresses none.
	Compressor encoding.Compressor
	// Compressors are what responses may be compressed with. Nil means gzip;
	// an empty slice means none.
	Compressors []encoding.Compressor
	// MaxReceiveBytes limits each response message, after decompression. Zero
	// means DefaultMaxReceiveBytes.
	MaxReceiveBytes int
	// MaxSendBytes limits each request message, before compression. Zero means
	// DefaultMaxSendBytes.
	MaxSendBytes int
	// Interceptors wrap each call; the first is the outermost.
	Interceptors []ClientInterceptor
	// Observer is told of each call; nil is nobody.
	Observer Observer
	// DialContext makes raw connections instead of a [net.Dialer].
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// HTTP2 has the limits of connections. Zero fields mean the defaults.
	HTTP2 http2.Config
	// Dialer replaces the HTTP/2 transport altogether; Credentials, DialContext
	// and HTTP2 then mean nothing. See package transport/inproc.
	Dialer transport.Dialer
	// Logger is told of changes of state; nil logs nothing.
	Logger *slog.Logger
	// Registry knows the channel and its connections; nil is none.
	Registry *transport.Registry
}

// Channel is a client's handle on a service. It is safe for concurrent use, and
// meant to be shared: all calls go over one connection, which is made when the
// first call needs it.
type Channel struct {
	target    target
	id        transport.ID
	registry  *transport.Registry
	log       *slog.Logger
	dialer    transport.Dialer
	scheme    string
	userAgent string
	codec     encoding.Codec
	limits    limits
	// requestCompressor is of requests; nil is none.
	requestCompressor encoding.Compressor
	// accepted are the compressors of responses, and acceptNames their list.
	accepted    []encoding.Compressor
	acceptNames string
	// invoker is the interceptor chain; nil without interceptors.
	invoker  Invoker
	observer Observer

	snap      atomic.Pointer[snapshot]
	blocks    blockCache
	memo      responseMemo
	scratches scratches
	timeout   atomic.Pointer[timeoutMemo]
	// attempts keeps the memory of unary attempts that have ended.
	attempts sync.Pool

	// life is the connector's, while there is one, and end ends it.
	life context.Context
	end  context.CancelFunc

	// nextAttempt is the connector's.
	nextAttempt time.Time

	mu sync.Mutex
	// conns are all connections that have not ended: those that drain, and one more.
	conns []transport.Conn
	// early are connections that ended before adopt; nil when nothing connects.
	early map[transport.Conn]error
	// transitions wait to be logged by unlock.
	transitions []transition
}

var _ Caller = (*Channel)(nil)

// NewChannel returns a channel to a target: "host:port" (or "dns:///host:port",
// which is the same), "unix:path", "unix:///absolute/path",
// "unix-abstract:name", or a list "a:1,b:2" of addresses that are tried in
// order. It does no I/O: an error is about the arguments.
func NewChannel(targetText string, cfg ChannelConfig) (*Channel, error) {
	t, err := parseTarget(targetText)
	if err != nil {
		return nil, err
	}
	c := &Channel{
		target: t, registry: cfg.Registry, log: cfg.Logger,
		codec: cfg.Codec, requestCompressor: cfg.Compressor,
		limits: newLimits(cfg.MaxReceiveBytes, cfg.MaxSendBytes), observer: cfg.Observer,
	}
	if c.userAgent, err = protocol.UserAgent(cfg.UserAgent, version); err != nil {
		return nil, fmt.Errorf("yodel: ChannelConfig.UserAgent: %w", err)
	}
	if err := c.setAuthority(cfg.Authority); err != nil {
		return nil, err
	}
	if c.codec == nil {
		c.codec = encoding.Proto{}
	}
	if c.accepted, c.acceptNames, err = acceptedCompressors(cfg.Compressors); err != nil {
		return nil, fmt.Errorf("yodel: ChannelConfig.Compressors: %w", err)
	}
	cfg.Registry.Add(&c.id, transport.Entity{Kind: "channel", Name: targetText, Member: c})
	c.dialer, c.scheme = newDialer(&cfg)
	c.snap.Store(&snapshot{state: Idle})
	c.compose(cfg.Interceptors)
	return c, nil
}

func (c *Channel) setAuthority(authority string) error {
	if authority == "" {
		return nil
	}
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	if host == "" || strings.ContainsFunc(host, badInHost) {
		return fmt.Errorf("yodel: ChannelConfig.Authority %q is no host and no host:port", authority)
	}
	c.target.authority = authority
	for i := range c.target.endpoints {
		c.target.endpoints[i].ServerName = host
	}
	return nil
}

// compose builds the interceptor chain, once.
func (c *Channel) compose(interceptors []ClientInterceptor) {
	if len(interceptors) == 0 {
		return
	}
	invoker := c.start
	for _, interceptor := range slices.Backward(interceptors) {
		invoker = interceptor(invoker)
	}
	c.invoker = invoker
}

// Start starts a call, through the channel's interceptors. Generated code uses
// the functions CallUnary and so on, which are built on it.
func (c *Channel) Start(ctx context.Context, call *Call) (Stream, error) {
	if c.invoker != nil {
		return c.invoker(ctx, call)
	}
	return c.start(ctx, call)
}

// Target returns the target as it was given to NewChannel.
func (c *Channel) Target() string { return c.target.text }

// Authority returns what requests call the server.
func (c *Channel) Authority() string { return c.target.authority }

// Scheme returns "https" if the channel's connections are secured, and "http" if
// they are not.
func (c *Channel) Scheme() string { return c.scheme }

// ID returns the channel's ID in its registry; zero without one.
func (c *Channel) ID() transport.ID { return c.id }

// Close ends the channel at once: its calls fail with CANCELLED, its
// connections are closed. It returns without waiting for them, and nil always.
func (c *Channel) Close() error {
	c.mu.Lock()
	s := c.snap.Load()
	if s.state == Shutdown {
		c.unlock()
		return nil
	}
	c.setLocked(snapshot{state: Shutdown, err: errChannelClosed})
	conns := c.conns
	if s.conn != nil && !slices.Contains(conns, s.conn) {
		conns = append(conns, s.conn) // it is not proven yet
	}
	c.conns = nil
	end := c.end
	c.unlock()
	if end != nil {
		end()
	}
	for _, conn := range conns {
		conn.Close(errChannelClosed)
	}
	c.registry.Remove(c.id)
	return nil
}

// usualCompressors is what a nil list of compressors stands for. Channels and servers
// share what it keeps for the next compressions.
var usualCompressors = []encoding.Compressor{new(encoding.Gzip)}

// acceptedCompressors checks the compressors of a configuration, and lists their
// names as grpc-accept-encoding does.
func acceptedCompressors(given []encoding.Compressor) ([]encoding.Compressor, string, error) {
	if given == nil {
		return usualCompressors, "gzip", nil
	}
	names := make([]string, 0, len(given))
	for _, compressor := range given {
		switch name := compressor.Name(); {
		case name == "" || name == encoding.Identity || strings.ContainsAny(name, ", "):
			return nil, "", fmt.Errorf("%T has the name %q, which no compressor can have", compressor, name)
		case slices.Contains(names, name):
			return nil, "", errors.New("two have the name " + name)
		default:
			names = append(names, name)
		}
	}
	return given, strings.Join(names, ","), nil
}

// findCompressor returns the one with a name; nil if there is none.
func findCompressor(among []encoding.Compressor, name string) encoding.Compressor {
	for _, compressor := range among {
		if compressor.Name() == name {
			return compressor
		}
	}
	return nil
}
