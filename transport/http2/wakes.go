package http2

import (
	"context"
	"sync"
	"sync/atomic"
)

// waiter is where a user of a stream waits. It may be woken with a token that was
// meant for whoever waited there before, so being woken only means to look again.
type waiter struct {
	ch    chan struct{}
	state atomic.Uint32
}

// The states of a waiter. One that has been called wakes the next in the chain when
// it leaves, for whatever reason it does.
const (
	waiting = iota
	called
	left
)

func newWaiter() *waiter { return &waiter{ch: make(chan struct{}, 1)} }

// clear takes away a token that came too late.
func (w *waiter) clear() {
	select {
	case <-w.ch:
	default:
	}
}

func (w *waiter) wake() {
	select {
	case w.ch <- struct{}{}:
	default:
	}
}

// wait waits until somebody wakes it, or ctx ends.
func (w *waiter) wait(ctx context.Context) error {
	done := ctx.Done()
	if done == nil {
		<-w.ch
		return nil
	}
	select {
	case <-w.ch:
		return nil
	case <-done:
		return context.Cause(ctx)
	}
}

// leave ends the wait of one who may be in the chain.
func (w *waiter) leave(c *chain) {
	if !w.state.CompareAndSwap(waiting, left) {
		c.next()
	}
}

// chain is the receivers that a reader has something for. It wakes one for each
// processor; each that has come to run wakes the next. If all were woken at once, a
// thread that looks for work would take half of them with it, and where processors
// are scarce it and others would then wait for one, all that they hold with them.
type chain struct {
	mu    sync.Mutex // a leaf
	queue []*waiter
	head  int
}

// add appends receivers, and wakes as many as there are processors.
func (c *chain) add(all []*waiter, processors int) {
	if len(all) <= processors {
		for _, w := range all {
			w.wake()
		}
		return
	}
	c.mu.Lock()
	if c.head > 0 && len(c.queue)+len(all) > cap(c.queue) {
		n := copy(c.queue, c.queue[c.head:])
		clear(c.queue[n:])
		c.queue, c.head = c.queue[:n], 0
	}
	c.queue = append(c.queue, all...)
	c.mu.Unlock()
	for range processors {
		c.next()
	}
}

// next wakes one receiver.
func (c *chain) next() {
	for {
		w := c.take()
		if w == nil {
			return
		}
		if w.state.CompareAndSwap(waiting, called) {
			w.wake()
			return
		}
	}
}

func (c *chain) take() *waiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head == len(c.queue) {
		c.queue, c.head = c.queue[:0], 0
		return nil
	}
	w := c.queue[c.head]
	c.queue[c.head] = nil
	c.head++
	return w
}

// waiters lends them to streams that somebody waits on, so that others have none.
// Conn.mu guards it.
type waiters struct{ free freeList[waiter] }

func (w *waiters) take() *waiter {
	if one := w.free.take(); one != nil {
		return one
	}
	return newWaiter()
}

func (w *waiters) give(one *waiter) {
	one.clear()
	w.free.give(one)
}
