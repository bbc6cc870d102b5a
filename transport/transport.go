// Package transport is the seam between calls and what carries them.
//
// A [Conn] multiplexes [Stream]s; a Stream carries one header section each way,
// bytes, and one trailer section. Nothing here knows of gRPC: methods, content
// types, envelopes and status codes belong to the floors above, and frames,
// packets and error codes of a wire protocol stay below. That is what lets one
// channel and one server run over HTTP/2, HTTP/3 and memory alike.
package transport

import (
	"context"
	"iter"
	"net"

	"github.com/yodelrpc/yodel/metadata"
)

// Field is one header field in its wire form: the value of a "-bin" field is
// base64 here.
type Field = metadata.Field

// Block is the part of a header section that repeats from call to call. It must
// not be changed once it has been sent or received: a transport recognises a
// Block that it has sent before by its address, and hands out the same Block
// for the same bytes received, so that neither side encodes, decodes or checks
// it twice.
type Block struct {
	// Method, Scheme, Authority and Path are set in requests.
	Method, Scheme, Authority, Path string
	// Status is set in responses, zero in requests and trailers.
	Status int
	// Fields are the section's first fields, in order.
	Fields []Field
}

// Header is one header or trailer section: the Block, then More.
type Header struct {
	// Block is never nil in a Header that was received. Nil in one to be sent
	// means that there is nothing but More, as in most trailer sections.
	Block *Block
	// More follows Block.Fields. The transport does not keep it after the
	// call that it was given to returns.
	More []Field
}

// All yields the fields of Block, if there is one, and then those of More.
func (h *Header) All() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		if h.Block != nil {
			for _, f := range h.Block.Fields {
				if !yield(f) {
					return
				}
			}
		}
		for _, f := range h.More {
			if !yield(f) {
				return
			}
		}
	}
}

// Get returns the first value of a lower-case name, and whether there is one.
func (h *Header) Get(name string) (string, bool) {
	for f := range h.All() {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// Outgoing is what one operation sends: any of its parts, in the order of its
// fields. Giving a transport all that is known at once lets it leave in one
// write.
type Outgoing struct {
	// Header is the header section; nil when it has been sent.
	Header *Header
	// Data, and Bulk after it, are lent until the operation returns.
	Data, Bulk []byte
	// Trailer is the trailer section, which ends the sending side.
	Trailer *Header
	// End ends the sending side without a trailer section. With a Header and
	// nothing else, the header section is the last thing sent.
	End bool
	// AwaitsEnd tells, with the Header of a request, that whoever receives waits
	// for the end of the stream, and closes it as soon as it has come: others on
	// the connection may rely on that. After Close the Stream is another call's.
	AwaitsEnd bool
	// Demand, with AwaitsEnd, is what the receiver is about to call Await with, at
	// once: Header, Data and Bulk are lent until that returns, and a transport may do
	// all of it there. Then the error is Await's.
	Demand Demand
	// Close closes the stream, as Stream.Close does, once everything has been
	// sent. If the operation fails, the stream is not closed. On a server, the
	// Stream may be another call's when the handler has returned after that.
	Close bool
}

// Demand says how many bytes must be buffered before a reader is worth waking,
// given what is buffered now. A transport calls it with the stream's buffered
// bytes, possibly under its locks and on any goroutine: it must be quick, and
// must neither keep nor change them.
//
// It is how a reader waits for a whole message, or for the end, and wakes once.
type Demand func(buffered []byte) int

// Stream is one exchange on a Conn. Its sending and its receiving methods may
// be used by one goroutine each at the same time; Reset by any.
type Stream interface {
	// Send sends out. It waits while flow control holds data back, until ctx
	// ends or the stream does. The error is an *Error, or ctx's cause; after
	// one the stream is finished, unless it is a local ReasonHeaderTooLarge:
	// then nothing has been sent, and less may be. Sending after the peer ended the stream
	// normally returns [ErrEnded].
	Send(ctx context.Context, out *Outgoing) error

	// Append is Send for a small piece of data that follows others, and may wait
	// a little for more to follow it. It takes data, or reports that it cannot,
	// and then nothing has happened: Send can, or says why not. It waits for
	// nothing. What it has taken is sent before anything else.
	Append(data []byte) bool

	// Header waits for the peer's header section. On a server it is there from
	// the start. Interim (1xx) sections are skipped.
	Header(ctx context.Context) (*Header, error)

	// Await waits until at least demand(buffered) bytes are buffered or the
	// peer's side has ended, and returns what is buffered. The bytes are lent
	// until the next call of Discard, or until the stream is closed. ended tells that no more will
	// come. The error is an *Error, or ctx's cause, and then buffered bytes
	// are lost.
	Await(ctx context.Context, demand Demand) (buffered []byte, ended bool, err error)

	// Discard drops the first n buffered bytes and gives their credit back to
	// the peer.
	Discard(n int)

	// Keep is Discard for bytes whose memory becomes the caller's. It reports
	// whether they have; if not, nothing has happened. It succeeds only for large
	// messages, of whole buffers.
	Keep(n int) bool

	// Trailer returns the peer's trailer section, once Await said ended; nil if
	// there was none. If the header section was the last thing that the peer
	// sent, Header holds everything and Trailer is nil.
	Trailer() *Header

	// Reset ends the stream at once in both directions, telling the peer why.
	// It does nothing to a stream that has finished. A transport that cannot
	// tell the peer at once does so when the handler returns.
	Reset(reason Reason)

	// Close releases the stream: a side that is still open is reset with
	// ReasonCanceled (on a server that has sent everything: with ReasonNone).
	// Nobody may be receiving or sending, and methods called afterwards do
	// nothing, or fail.
	Close()

	// Watch asks that w be told, once, when the stream ends early. There is one
	// watcher at most, and none is told after Close. The stream's own methods
	// may fail before it is told. If the stream has ended early already, Watch
	// returns why, and w is not told.
	Watch(w Watcher) error

	// Conn is the connection that carries the stream; never nil.
	Conn() Conn
}

// Watcher is told when a stream ends before its time: the peer reset it, or the
// connection was lost.
type Watcher interface {
	// StreamFailed is called at most once, without locks, on a goroutine that
	// must not be blocked.
	StreamFailed(err error)
}

// Conn is one connection. All methods are safe for concurrent use.
type Conn interface {
	// Open starts a stream with everything known of it so far. It waits while
	// the peer allows no more streams, until ctx ends. It is a client's method.
	Open(ctx context.Context, out *Outgoing) (Stream, error)

	// Drain lets the streams in flight finish and then closes the connection.
	// New ones are refused: the peer is told in a way that loses none.
	Drain()

	// Close ends the connection and every stream on it. Their error wraps
	// cause, which must not be nil.
	Close(cause error)

	// Done is closed when the connection has ended and holds nothing any more.
	Done() <-chan struct{}

	// Info describes the connection.
	Info() *ConnInfo
}

// ConnInfo describes a connection. It does not change.
type ConnInfo struct {
	// ID is the connection's in its [Registry].
	ID ID
	// Protocol is how the peers speak: "h2", "h2c", "h3" or "inproc".
	Protocol string
	// Local and Remote are the two ends.
	Local, Remote net.Addr
	// Auth is what the handshake established; nil without one.
	Auth AuthInfo
}

// AuthInfo is what a security handshake established, such as
// credentials.TLSInfo.
type AuthInfo interface {
	// SecurityProtocol names it: "tls", "insecure".
	SecurityProtocol() string
}

// ConnEvents tells the owner of a client connection of its changes. The methods
// are called without locks and must not block. Each is called at most once.
type ConnEvents interface {
	// ConnOpen tells that c takes streams, before Dial returns it: the security
	// handshake is complete, but the peer has not shown yet that it speaks the
	// protocol. Dial may leave it out. If Dial fails after it, so do the streams.
	ConnOpen(c Conn)
	// ConnDraining tells that the connection takes no new streams: the peer
	// said so, or stream ids run out. err says why.
	ConnDraining(c Conn, err error)
	// ConnClosed tells that the connection has ended, and why.
	ConnClosed(c Conn, err error)
}

// Endpoint is one address to connect to.
type Endpoint struct {
	// Network is "tcp" or "unix"; Address is for [net.Dial]. An abstract unix
	// socket's address starts with '@'.
	Network, Address string
	// ServerName is the name that the peer must prove to have.
	ServerName string
	// Handshaker secures connections to this address; nil is the Dialer's own.
	Handshaker Handshaker
}

// Dialer makes client connections.
type Dialer interface {
	// Dial connects to e, and returns when the connection is proven: after the
	// security handshake, and after the peer's first settings. The error says
	// which phase failed (see [DialError]). parent is the ID of the channel.
	Dial(ctx context.Context, e Endpoint, events ConnEvents, parent ID) (Conn, error)
}

// Schemer is a Dialer that knows the scheme of the requests on its connections,
// "https" or "http". Others have "http".
type Schemer interface {
	Scheme() string
}

// Handler serves the streams of a server's connections.
type Handler interface {
	// ServeStream is called on a goroutine of its own for each stream, and owns
	// the stream until it returns. It must Close it.
	ServeStream(s Stream, h *Header)
}

// Expecter is a Handler that knows what its handlers are going to wait for, before
// they have come to do so. A transport may make room for a message by it.
type Expecter interface {
	// Expect is a Demand, for what comes first on a stream.
	Expect(buffered []byte) int
}

// Listener accepts a server's connections.
type Listener interface {
	// Serve accepts connections and serves their streams until Drain or Close,
	// and returns when the last connection has ended.
	Serve(h Handler) error
	// Drain stops accepting and drains every connection. Serve returns when
	// they have ended.
	Drain()
	// Close stops accepting and closes every connection with cause.
	Close(cause error)
	// Addr is where the listener listens.
	Addr() net.Addr
}

// Handshaker secures raw connections. See package credentials.
type Handshaker interface {
	// ClientHandshake secures a connection to a server that must prove to be
	// serverName.
	ClientHandshake(ctx context.Context, raw net.Conn, serverName string) (net.Conn, AuthInfo, error)
	// ServerHandshake secures a connection that was accepted.
	ServerHandshake(ctx context.Context, raw net.Conn) (net.Conn, AuthInfo, error)
	// Scheme is "https" or "http".
	Scheme() string
}
