package inproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/yodelrpc/yodel/transport"
)

var (
	errServing  = errors.New("inproc: Serve is called twice on one listener")
	errDraining = errors.New("the server is shutting down")
)

// Listener is a server's end, and what a client dials. Use [NewListener].
type Listener struct {
	cfg Config
	id  transport.ID

	// served is closed when there is a handler, stopped when the listener takes
	// no connections any more.
	served, stopped chan struct{}

	mu      sync.Mutex
	handler transport.Handler
	links   map[*link]struct{}
	stop    bool
	running sync.WaitGroup
}

var (
	_ transport.Listener = (*Listener)(nil)
	_ transport.Dialer   = (*Listener)(nil)
)

// NewListener returns a listener that waits for Serve. It holds no resources
// before that.
func NewListener(cfg Config) *Listener {
	cfg.setDefaults()
	l := &Listener{
		cfg:     cfg,
		served:  make(chan struct{}),
		stopped: make(chan struct{}),
		links:   make(map[*link]struct{}),
	}
	cfg.Registry.Add(&l.id, transport.Entity{Parent: cfg.Parent, Kind: "listener", Name: cfg.Name, Member: l})
	return l
}

// Addr returns the listener's name as an address.
func (l *Listener) Addr() net.Addr { return Addr(l.cfg.Name) }

// Serve gives the streams of every connection to h until Drain or Close, and
// returns nil when the last connection has ended and its handlers have
// returned. It can be called once.
func (l *Listener) Serve(h transport.Handler) error {
	l.mu.Lock()
	if l.handler != nil {
		l.mu.Unlock()
		return errServing
	}
	l.handler = h
	close(l.served)
	l.mu.Unlock()

	<-l.stopped
	l.running.Wait()
	l.cfg.Registry.Remove(l.id)
	return nil
}

// Dial connects to the server. It waits until the listener is served, as a
// connection waits in a socket's backlog. The endpoint is not looked at: a
// Listener is one server, whatever name it is given.
func (l *Listener) Dial(ctx context.Context, _ transport.Endpoint, events transport.ConnEvents, parent transport.ID) (transport.Conn, error) {
	select {
	case <-l.served:
	case <-l.stopped:
	case <-ctx.Done():
		return nil, l.dialError(fmt.Errorf("nothing serves it yet: %w", context.Cause(ctx)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop {
		return nil, l.dialError(syscall.ECONNREFUSED)
	}
	k := newLink(l, events, parent)
	l.links[k] = struct{}{}
	l.running.Add(1)
	return k.client, nil
}

func (l *Listener) dialError(err error) error {
	return &transport.DialError{Phase: transport.PhaseConnect, Address: l.cfg.Name, Err: err}
}

// Drain stops accepting connections and drains those that there are.
func (l *Listener) Drain() {
	for _, k := range l.stopAccepting() {
		k.drain(sideServer, errDraining)
	}
}

// Close stops accepting and closes every connection with cause.
func (l *Listener) Close(cause error) {
	for _, k := range l.stopAccepting() {
		k.close(sideServer, cause)
	}
}

func (l *Listener) stopAccepting() []*link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stop {
		l.stop = true
		close(l.stopped)
		if l.handler == nil {
			l.cfg.Registry.Remove(l.id) // nothing was served; else Serve does it
		}
	}
	links := make([]*link, 0, len(l.links))
	for k := range l.links {
		links = append(links, k)
	}
	return links
}

// forget is called once, by a link that holds nothing any more.
func (l *Listener) forget(k *link) {
	l.mu.Lock()
	delete(l.links, k)
	l.mu.Unlock()
	l.running.Done()
}
