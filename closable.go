package yodel

import (
	"context"
	"sync"
)

// closable is a call's context that ends when the call is closed, too. Most
// calls never wait for it, so the context of package context that this takes is
// made when somebody does.
type closable struct {
	context.Context

	mu     sync.Mutex
	made   context.Context
	cancel context.CancelCauseFunc
	// cause is why it has been closed.
	cause error
}

func (c *closable) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made, c.cancel = context.WithCancelCause(c.Context)
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.made.Done()
}

func (c *closable) Err() error {
	c.mu.Lock()
	made, cause := c.made, c.cause
	c.mu.Unlock()
	switch {
	case made != nil:
		return made.Err()
	case cause != nil:
		return context.Canceled
	}
	return c.Context.Err()
}

func (c *closable) Value(key any) any {
	c.mu.Lock()
	made := c.made
	c.mu.Unlock()
	if made != nil {
		return made.Value(key)
	}
	return c.Context.Value(key)
}

// close ends the context with cause, which only the first call decides.
func (c *closable) close(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = cause
	}
	if c.cancel != nil {
		c.cancel(cause)
	}
}

// end lets go of what Done has made.
func (c *closable) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel(nil)
	}
}

// closed returns what close was called with first.
func (c *closable) closed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}
