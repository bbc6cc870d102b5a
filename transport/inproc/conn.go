package inproc

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/yodelrpc/yodel/transport"
)

// side is an end of a connection or of a stream.
type side uint8

const (
	sideClient side = iota
	sideServer
)

func (s side) other() side { return 1 - s }

var errNotClient = errors.New("inproc: only a client's connection opens streams")

// link is one connection with both its ends. Its lock comes before the locks of
// its streams.
type link struct {
	lis    *Listener
	events transport.ConnEvents
	client *conn
	server *conn
	// slots holds one token for each handler that runs or is about to.
	slots chan struct{}
	// refuse is closed when no stream can be opened any more; done when the
	// link holds nothing any more.
	refuse, done chan struct{}

	mu       sync.Mutex
	streams  map[*exchange]struct{}
	draining bool
	// refusal is what Open returns once refuse is closed.
	refusal error
	closed  bool
	gone    bool
	// endErr is why the link ended.
	endErr error
}

func newLink(l *Listener, events transport.ConnEvents, parent transport.ID) *link {
	k := &link{
		lis:     l,
		events:  events,
		slots:   make(chan struct{}, l.cfg.MaxConcurrentStreams),
		refuse:  make(chan struct{}),
		done:    make(chan struct{}),
		streams: make(map[*exchange]struct{}),
	}
	k.client = newConn(k, sideClient, parent)
	k.server = newConn(k, sideServer, l.id)
	return k
}

// open admits one stream. It is called with a token of slots in hand.
func (k *link) open(x *exchange) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.draining || k.closed {
		return k.refusal
	}
	k.streams[x] = struct{}{}
	return nil
}

// served is called when the handler of x has returned.
func (k *link) served(x *exchange) {
	k.mu.Lock()
	delete(k.streams, x)
	<-k.slots
	k.mu.Unlock()
	k.finishIfIdle()
}

// drain refuses new streams. by is the side that asked for it.
func (k *link) drain(by side, why error) {
	k.mu.Lock()
	if k.draining || k.closed {
		k.mu.Unlock()
		return
	}
	k.draining = true
	initiator := transport.Peer
	if by == sideClient {
		initiator = transport.User
	}
	k.refusal = &transport.Error{
		Scope: transport.ScopeConn, Initiator: initiator, Reason: transport.ReasonRefused,
		Unprocessed: true, Err: why,
	}
	k.endErr = k.refusal
	close(k.refuse)
	k.mu.Unlock()
	if by == sideServer && k.events != nil {
		k.events.ConnDraining(k.client, k.refusal)
	}
	k.finishIfIdle()
}

// close ends every stream at once. by is the side that asked for it.
func (k *link) close(by side, cause error) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return
	}
	k.closed = true
	k.endErr = lost(by, sideClient, cause)
	refusal := *lost(by, sideClient, cause)
	refusal.Unprocessed = true
	k.refusal = &refusal
	if !k.draining {
		close(k.refuse)
	}
	streams := make([]*exchange, 0, len(k.streams))
	for x := range k.streams {
		streams = append(streams, x)
	}
	k.mu.Unlock()
	for _, x := range streams {
		x.fail([2]*transport.Error{
			sideClient: lost(by, sideClient, cause),
			sideServer: lost(by, sideServer, cause),
		})
	}
	if k.events != nil {
		k.events.ConnClosed(k.client, k.endErr)
	}
	k.finishIfIdle()
}

// lost is how a side sees a connection that by has closed: the cause stays on
// its own side, as it would on a network.
func lost(by, seen side, cause error) *transport.Error {
	e := &transport.Error{Scope: transport.ScopeConn, Reason: transport.ReasonLost, Sent: true}
	if by == seen {
		e.Initiator, e.Err = transport.User, cause
	} else {
		e.Initiator, e.Err = transport.Peer, io.EOF
	}
	return e
}

// finishIfIdle ends a link that takes and has no streams.
func (k *link) finishIfIdle() {
	k.mu.Lock()
	if len(k.streams) > 0 || k.gone || (!k.draining && !k.closed) {
		k.mu.Unlock()
		return
	}
	k.gone = true
	tell := !k.closed
	k.closed = true
	k.mu.Unlock()
	if tell && k.events != nil {
		k.events.ConnClosed(k.client, k.endErr)
	}
	k.lis.cfg.Registry.Remove(k.client.info.ID)
	k.lis.cfg.Registry.Remove(k.server.info.ID)
	close(k.done)
	k.lis.forget(k)
}

// conn is one end of a link.
type conn struct {
	link *link
	side side
	info transport.ConnInfo
}

var _ transport.Conn = (*conn)(nil)

func newConn(k *link, s side, parent transport.ID) *conn {
	addr := k.lis.Addr()
	c := &conn{link: k, side: s, info: transport.ConnInfo{
		Protocol: Protocol,
		Local:    addr,
		Remote:   addr,
		Auth:     Auth{},
	}}
	k.lis.cfg.Registry.Add(&c.info.ID, transport.Entity{Parent: parent, Kind: "connection", Name: k.lis.cfg.Name, Member: c})
	return c
}

// Open implements [transport.Conn].
func (c *conn) Open(ctx context.Context, out *transport.Outgoing) (transport.Stream, error) {
	if c.side != sideClient {
		return nil, errNotClient
	}
	k := c.link
	if out.Header == nil || out.Header.Block == nil {
		return nil, errNoHeader
	}
	if err := checkHeader(out.Header, sideServer); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case k.slots <- struct{}{}:
	case <-k.refuse:
		return nil, k.refused()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	x := newExchange(k)
	if err := k.open(x); err != nil {
		<-k.slots
		return nil, err
	}
	st := &x.ends[sideClient]
	st.putHeader(out.Header)
	rest := transport.Outgoing{Data: out.Data, Trailer: out.Trailer, End: out.End}
	if len(out.Data) > k.lis.cfg.WindowBytes {
		// Only a handler that reads makes room for such a body.
		go x.serve(k.lis.handler)
		return st.opened(st.Send(ctx, &rest))
	}
	err := st.Send(ctx, &rest)
	go x.serve(k.lis.handler)
	return st.opened(err)
}

// opened is the result of Open, whose first Send returned err.
func (s *stream) opened(err error) (transport.Stream, error) {
	if err != nil && !errors.Is(err, transport.ErrEnded) {
		return nil, err
	}
	return s, nil
}

func (k *link) refused() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refusal
}

// Drain implements [transport.Conn].
func (c *conn) Drain() { c.link.drain(c.side, errDraining) }

// Close implements [transport.Conn].
func (c *conn) Close(cause error) { c.link.close(c.side, cause) }

// Done implements [transport.Conn].
func (c *conn) Done() <-chan struct{} { return c.link.done }

// Info implements [transport.Conn].
func (c *conn) Info() *transport.ConnInfo { return &c.info }
