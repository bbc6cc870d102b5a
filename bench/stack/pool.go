package stack

import (
	"context"
	"errors"
	"sync"
)

// Pool lends connections to stacks that do not multiplex: the one that came
// back last goes first. Dial is set before the first Get.
type Pool[C interface{ Close() error }] struct {
	Dial func(ctx context.Context) (C, error)

	mu     sync.Mutex
	idle   []C
	closed bool
}

// Get returns an idle connection, or a new one.
func (p *Pool[C]) Get(ctx context.Context) (C, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	return p.Dial(ctx)
}

// Put gives a connection back, which must be in order.
func (p *Pool[C]) Put(c C) {
	p.mu.Lock()
	if !p.closed {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	_ = c.Close()
}

// Close closes the idle connections, and those that come back.
func (p *Pool[C]) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	var err error
	for _, c := range idle {
		err = errors.Join(err, c.Close())
	}
	return err
}
