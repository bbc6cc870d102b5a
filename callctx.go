package yodel

import (
	"context"
	"sync/atomic"
	"time"
)

// callContext is a server's call as a context. There is one for every call, so
// it is lazy: the Done channel exists if somebody asks for it, a timer if the
// call has a deadline. Its values are those of the context that Serve was given.
//
// How it has ended is in ctxState. As soon as somebody may have to be told,
// contextWatched is set there, and from then on mu guards the end. Before, whoever swaps it
// in first has ended the context.
type callContext serverCall

// context is the call's context.
func (s *serverCall) context() *callContext { return (*callContext)(s) }

// contextWatched is a bit beside a contextEnd.
const contextWatched = 1 << 7

func endOf(state uint32) contextEnd { return contextEnd(state &^ contextWatched) }

// contextExtra is what few contexts need.
type contextExtra struct {
	// deadline is the call's; zero is none. timer ends the call then.
	deadline time.Time
	timer    *time.Timer
	// replaced answers Value once the call is canceled with a cause: a context
	// of package context, which is where context.Cause looks.
	replaced atomic.Pointer[context.Context]
	// funcs is what AfterFunc was called with. Call.mu guards it.
	funcs map[*func()]struct{}
}

// contextEnd is how a context has ended.
type contextEnd uint8

const (
	contextLives contextEnd = iota
	contextCanceled
	contextDeadline
)

func (e contextEnd) err() error {
	switch e {
	case contextCanceled:
		return context.Canceled
	case contextDeadline:
		return context.DeadlineExceeded
	}
	return nil
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
	if extra := c.ctxExtra.Load(); extra != nil && !extra.deadline.IsZero() {
		return extra.deadline, true
	}
	return time.Time{}, false
}

func (c *callContext) Done() <-chan struct{} {
	c.watch()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		if c.ended() != nil {
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
func (c *callContext) ended() error { return endOf(c.ctxState.Load()).err() }

// moreLocked returns the extra, to be changed.
func (c *callContext) moreLocked() *contextExtra {
	extra := c.ctxExtra.Load()
	if extra == nil {
		extra = new(contextExtra)
		c.ctxExtra.Store(extra)
	}
	return extra
}

// watch has the stream tell of its end from now on. It is asked to when somebody
// wants to know: few handlers do.
func (c *callContext) watch() {
	state, first := c.setWatched()
	if !first || endOf(state) != contextLives {
		return
	}
	s := (*serverCall)(c)
	c.mu.Lock()
	var failure error
	if c.phase != phaseClosed { // or the stream may be another call's
		failure = c.stream.Watch(s)
	}
	c.mu.Unlock()
	if failure != nil {
		s.StreamFailed(failure)
	}
}

// setWatched returns the state that there is from now on, and whether this call has made
// it.
func (c *callContext) setWatched() (state uint32, first bool) {
	for {
		old := c.ctxState.Load()
		if old&contextWatched != 0 {
			return old, false
		}
		if c.ctxState.CompareAndSwap(old, old|contextWatched) {
			return old | contextWatched, true
		}
	}
}

func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return &c.Call
	}
	if extra := c.ctxExtra.Load(); extra != nil {
		if replaced := extra.replaced.Load(); replaced != nil {
			return (*replaced).Value(key)
		}
	}
	return c.served.values.Value(key)
}

// String keeps what fmt prints of a context short and free of values.
func (c *callContext) String() string { return "yodel.callContext(" + c.Method.Path() + ")" }

// AfterFunc is what package context looks for to attach a child without a
// goroutine.
func (c *callContext) AfterFunc(f func()) (stop func() bool) {
	c.watch()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended() != nil {
		go f()
		return func() bool { return false }
	}
	extra := c.moreLocked()
	if extra.funcs == nil {
		extra.funcs = make(map[*func()]struct{})
	}
	entry := &f
	extra.funcs[entry] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waiting := extra.funcs[entry]
		delete(extra.funcs, entry)
		return waiting
	}
}

// expireIn gives the call a deadline, before anybody else has the context;
// expired is called when it has passed.
func (c *callContext) expireIn(timeout time.Duration, expired func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	extra := c.moreLocked()
	extra.deadline = time.Now().Add(timeout)
	extra.timer = time.AfterFunc(timeout, expired)
}

// cancel ends the context, with a cause unless that is nil. It reports whether it
// was the first to do so.
func (c *callContext) cancel(end contextEnd, cause error) bool {
	if cause == nil && c.ctxExtra.Load() == nil && c.ctxState.CompareAndSwap(uint32(contextLives), uint32(end)) {
		return true // nobody is to be told
	}
	c.mu.Lock()
	if state, _ := c.setWatched(); endOf(state) != contextLives {
		c.mu.Unlock()
		return false
	}
	if cause != nil {
		replaced, cancel := context.WithCancelCause(c.served.values)
		cancel(cause)
		c.moreLocked().replaced.Store(&replaced)
	}
	c.ctxState.Store(uint32(end) | contextWatched)
	if c.done != nil {
		close(c.done)
	}
	extra := c.ctxExtra.Load()
	if extra == nil {
		c.mu.Unlock()
		return true
	}
	// At the deadline the timer has fired, or is about to; a bareCall may just be setting
	// extra.timer then.
	if end != contextDeadline && extra.timer != nil {
		extra.timer.Stop()
	}
	funcs := extra.funcs
	extra.funcs = nil
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
