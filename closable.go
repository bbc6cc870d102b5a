package yodel

import (
	"context"
	"sync/atomic"
)

// closable is a call's context that ends when the call is closed, too. Most
// calls never wait for it, so the context of package context that this takes is
// made when somebody does.
type closable struct {
	context.Context
	made atomic.Pointer[madeContext]
}

type madeContext struct {
	context.Context
	cancel context.CancelCauseFunc
	closed atomic.Bool
}

func (c *closable) make() *madeContext {
	if made := c.made.Load(); made != nil {
		return made
	}
	made := &madeContext{}
	made.Context, made.cancel = context.WithCancelCause(c.Context)
	if !c.made.CompareAndSwap(nil, made) {
		made.cancel(nil)
	}
	return c.made.Load()
}

func (c *closable) Done() <-chan struct{} { return c.make().Done() }

func (c *closable) Err() error {
	if made := c.made.Load(); made != nil {
		return made.Err()
	}
	return c.Context.Err()
}

func (c *closable) Value(key any) any {
	if made := c.made.Load(); made != nil {
		return made.Value(key)
	}
	return c.Context.Value(key)
}

// close ends the context with cause.
func (c *closable) close(cause error) {
	made := c.make()
	made.closed.Store(true)
	made.cancel(cause)
}

// closed tells whether close has been called.
func (c *closable) closed() bool {
	made := c.made.Load()
	return made != nil && made.closed.Load()
}

// end lets go of what has been made.
func (c *closable) end() {
	if made := c.made.Load(); made != nil {
		made.cancel(nil)
	}
}
