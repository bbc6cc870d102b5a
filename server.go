package yodel

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// DefaultDrainTimeout is how long a server lets calls finish when it ends.
const DefaultDrainTimeout = 20 * time.Second

// ServerConfig configures a [Server]. The zero value is safe, but a server that
// listens on a network needs Credentials. It is copied by NewServer.
type ServerConfig struct {
	// Credentials secure connections: credentials.Files(cert, key, ca) or
	// credentials.TLS(config) for TLS, credentials.Insecure() for plaintext.
	// There is no default: Serve fails without them.
	Credentials transport.Handshaker
	// Codecs are those beside protobuf that requests may ask for by their
	// content-type. Nil means encoding.JSON; an empty slice means none. One
	// with the name "proto" replaces encoding.Proto.
	Codecs []encoding.Codec
	// Compressors are what requests may be compressed with. Nil means gzip; an
	// empty slice means none.
	Compressors []encoding.Compressor
	// Compressor compresses the responses' messages where the client accepts
	// it; nil compresses none. See also [Call.SetCompressor].
	Compressor encoding.Compressor
	// MaxReceiveBytes limits each request message, after decompression. Zero
	// means DefaultMaxReceiveBytes.
	MaxReceiveBytes int
	// MaxSendBytes limits each response message, before compression. Zero means
	// DefaultMaxSendBytes.
	MaxSendBytes int
	// HTTP2 has the limits of connections, such as the calls that run at once
	// for one of them (Limits.RunningHandlers). Zero fields mean the defaults.
	HTTP2 http2.Config
	// DrainTimeout is how long Serve lets calls finish when its context ends.
	// Zero means DefaultDrainTimeout.
	DrainTimeout time.Duration
	// Interceptors wrap each call; the first is the outermost.
	Interceptors []ServerInterceptor
	// Observer is told of each call; nil is nobody.
	Observer Observer
	// Logger is told of errors that the peer does not see, of panics, and of
	// broken connections; nil logs nothing.
	Logger *slog.Logger
	// ShowErrors shows the peer the text of every error. It is for development:
	// such texts carry addresses, queries and secrets.
	ShowErrors bool
	// CrashOnPanic lets a panic of a handler end the program, instead of ending
	// its call with INTERNAL.
	CrashOnPanic bool
	// Registry knows the server, its listeners and connections; nil is none.
	Registry *transport.Registry
}

// Server serves methods. Register them, then Serve. It is safe for concurrent
// use.
type Server struct {
	cfg    ServerConfig
	id     transport.ID
	limits limits
	codecs []encoding.Codec
	// accepted are the compressors of requests, and acceptNames their list.
	accepted    []encoding.Compressor
	acceptNames string
	// handle is the interceptor chain around the route's handler.
	handle Handler
	panics panicLog
	memo   requestMemo
	// scratches keep the memory of sends that have ended.
	scratches scratches
	responses responseBlocks

	// routes and services do not change once sealed is set.
	routes   map[string]*route
	services map[string]struct{}
	sealed   atomic.Bool

	mu sync.Mutex
	// problems are what was wrong with the configuration and the routes.
	problems []error
	// serving are the transport listeners that serve now.
	serving map[*serving]struct{}
	closed  bool
}

var (
	_ Registrar         = (*Server)(nil)
	_ transport.Handler = (*served)(nil)
)

// NewServer returns a server without methods. What is wrong with cfg is returned
// by Serve.
func NewServer(cfg ServerConfig) *Server {
	s := &Server{
		cfg: cfg, limits: newLimits(cfg.MaxReceiveBytes, cfg.MaxSendBytes),
		routes: make(map[string]*route), services: make(map[string]struct{}),
		serving: make(map[*serving]struct{}),
	}
	s.memo.seed = maphash.MakeSeed()
	cfg.Registry.Add(&s.id, transport.Entity{Kind: "server", Member: s})
	if s.cfg.DrainTimeout <= 0 {
		s.cfg.DrainTimeout = DefaultDrainTimeout
	}
	var err error
	if s.accepted, s.acceptNames, err = acceptedCompressors(cfg.Compressors); err != nil {
		s.problem(fmt.Errorf("ServerConfig.Compressors: %w", err))
	}
	s.setCodecs(cfg.Codecs)
	s.compose()
	return s
}

// setCodecs puts the codec "proto" first.
func (s *Server) setCodecs(given []encoding.Codec) {
	if given == nil {
		given = []encoding.Codec{encoding.JSON{}}
	}
	s.codecs = []encoding.Codec{encoding.Proto{}}
	names := make(map[string]bool, len(given))
	for _, codec := range given {
		name := codec.Name()
		switch {
		case name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, " ;,+/"):
			s.problem(fmt.Errorf("ServerConfig.Codecs: %T has the name %q: want lower-case letters, digits, and any of \"-_.\"", codec, name))
		case names[name]:
			s.problem(fmt.Errorf("ServerConfig.Codecs: two have the name %q", name))
		case name == s.codecs[0].Name():
			s.codecs[0] = codec
		default:
			s.codecs = append(s.codecs, codec)
		}
		names[name] = true
	}
}

// compose builds the interceptor chain, once.
func (s *Server) compose() {
	handle := Handler(func(ctx context.Context, call *Call, stream Stream) error {
		own, ok := call.side.(*serverCall)
		if !ok {
			return status.New(status.Internal, "server: an interceptor has passed on a Call that it made itself")
		}
		return own.request.route.handler(ctx, call, stream)
	})
	for _, interceptor := range slices.Backward(s.cfg.Interceptors) {
		handle = interceptor(handle)
	}
	s.handle = handle
}

func (s *Server) problem(err error) {
	s.mu.Lock()
	s.problems = append(s.problems, err)
	s.mu.Unlock()
}

// Register adds methods. What is wrong with one of them, such as a method that
// is registered twice, is returned by Serve. Methods can be added until the
// first call of a Serve method.
func (s *Server) Register(routes ...Route) {
	for _, r := range routes {
		err := s.register(r)
		if err == nil {
			continue
		}
		s.problem(err)
		if s.sealed.Load() && s.cfg.Logger != nil {
			// Serve has returned already what it had to say.
			s.cfg.Logger.LogAttrs(context.Background(), slog.LevelError, "a method cannot be registered", slog.Any("error", err))
		}
	}
}

func (s *Server) register(r Route) error {
	switch {
	case r.Err != nil:
		return r.Err
	case r.Method == nil:
		return errors.New("a route has no Method")
	case r.Handler == nil:
		return errors.New("the route of " + r.Method.Path() + " has no Handler")
	}
	path := r.Method.Path()
	if err := r.Method.check(); err != nil {
		return fmt.Errorf("the method %q cannot be served: %w", path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.sealed.Load():
		return errors.New("the method " + path + " was registered after the server began to serve")
	case s.routes[path] != nil:
		return errors.New("the method " + path + " is registered twice")
	}
	made := &route{server: s, method: r.Method, path: path, handler: r.Handler}
	if kind := r.Method.Kind; kind.oneRequest() && kind.oneResponse() && s.servesBare() {
		made.unary = r.unary
	}
	s.routes[path] = made
	s.services[r.Method.Service] = struct{}{}
	return nil
}

// servesBare tells whether calls can be bare: whether nobody but the handler sees them.
func (s *Server) servesBare() bool {
	return len(s.cfg.Interceptors) == 0 && s.cfg.Observer == nil && s.cfg.Compressor == nil
}

// ready checks whether the server can serve, and fixes its routes.
func (s *Server) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errShutdown
	}
	s.sealed.Store(true)
	if len(s.problems) == 0 {
		return nil
	}
	return fmt.Errorf("yodel: the server cannot serve: %w", errors.Join(s.problems...))
}

// ID returns the server's ID in its registry; zero without one.
func (s *Server) ID() transport.ID { return s.id }

// Panics returns how many panics of handlers have been recovered.
func (s *Server) Panics() uint64 { return s.panics.count.Load() }

// stuck names the methods whose calls run now.
func (s *Server) stuck() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for path, r := range s.routes {
		if n := r.running.Load(); n > 0 {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(path + " (" + strconv.FormatInt(n, 10) + ")")
		}
	}
	return b.String()
}
