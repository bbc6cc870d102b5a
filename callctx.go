package yodel

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// callContext is the context of a server's call. It is made for every call, so
// it is lazy: the Done channel exists if somebody asks for it, a timer if the
// call has a deadline. Its values are those of the context that Serve was given.
type callContext struct {
	// values has Serve's context without its cancellation.
	values context.Context
	call   *Call

	// limit is nil without a deadline.
	limit *callLimit

	// replaced answers Value once the call is canceled with a cause: a context
	// of package context, which is where context.Cause looks.
	replaced atomic.Pointer[context.Context]

	mu    sync.Mutex
	done  chan struct{}
	err   error
	funcs map[*func()]struct{}
}

// callLimit is a call's deadline.
type callLimit struct {
	deadline time.Time
	timer    *time.Timer
}

var _ context.Context = (*callContext)(nil)

// closedChan is what Done returns when it is first asked after the end. It is
// made by a function, so that no channel outlives a synctest bubble.
func closedChan() chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}

func (c *callContext) Deadline() (time.Time, bool) {
	if c.limit == nil {
		return time.Time{}, false
	}
	return c.limit.deadline, true
}

func (c *callContext) Done() <-chan struct{} {
	c.watch()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		if c.err != nil {
			c.done = closedChan()
		} else {
			c.done = make(chan struct{})
		}
	}
	return c.done
}

func (c *callContext) Err() error {
	c.watch()
	return c.ended()
}

// ended is Err for what is known already.
func (c *callContext) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// watch has the stream tell of its end from now on. It is asked to when somebody
// wants to know: few handlers do.
func (c *callContext) watch() {
	s := c.call.server
	c.mu.Lock()
	watch := !s.watched && c.err == nil
	s.watched = true
	c.mu.Unlock()
	if watch {
		s.stream.Watch(s)
	}
}

func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	if replaced := c.replaced.Load(); replaced != nil {
		return (*replaced).Value(key)
	}
	return c.values.Value(key)
}

// String keeps what fmt prints of a context short and free of values.
func (c *callContext) String() string { return "yodel.callContext(" + c.call.Method.Path() + ")" }

// AfterFunc is what package context looks for to attach a child without a
// goroutine.
func (c *callContext) AfterFunc(f func()) (stop func() bool) {
	c.watch()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.funcs == nil {
		c.funcs = make(map[*func()]struct{})
	}
	entry := &f
	c.funcs[entry] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waiting := c.funcs[entry]
		delete(c.funcs, entry)
		return waiting
	}
}

// expireIn gives the call a deadline, before anybody else has the context;
// expired is called when it has passed.
func (c *callContext) expireIn(timeout time.Duration, expired func()) {
	c.limit = &callLimit{deadline: time.Now().Add(timeout)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit.timer = time.AfterFunc(timeout, expired)
}

// cancel ends the context with err, and with a cause unless that is nil. It
// reports whether it was the first to do so.
func (c *callContext) cancel(err, cause error) bool {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return false
	}
	if cause != nil {
		replaced, cancel := context.WithCancelCause(c.values)
		cancel(cause)
		c.replaced.Store(&replaced)
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	if c.limit != nil {
		c.limit.timer.Stop()
	}
	funcs := c.funcs
	c.funcs = nil
	c.mu.Unlock()
	if len(funcs) > 0 {
		go func() {
			for f := range funcs {
				(*f)()
			}
		}()
	}
	return true
}
