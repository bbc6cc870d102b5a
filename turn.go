package yodel

import (
	"sync"
	"sync/atomic"
)

// turns are two locks for what may wait long, such as sending under flow control.
// Unlike a mutex, a goroutine that waits for its turn counts as blocked for
// testing/synctest. In the zero value both are free.
type turns struct {
	sending, receiving turn
	// queue is made by the first who waits for one of them.
	queue atomic.Pointer[turnQueue]
}

// turn is one of the two.
type turn struct{ state atomic.Int32 }

// The states of a turn. One that is contended may have waiters.
const (
	turnFree int32 = iota
	turnTaken
	turnContended
)

// turnQueue is who waits for a turn.
type turnQueue struct {
	mu sync.Mutex
	// first is who asked first.
	first *turnWaiter
}

type turnWaiter struct {
	turn *turn
	// yours is closed to hand the turn over.
	yours chan struct{}
	next  *turnWaiter
}

// take waits for a turn.
func (t *turns) take(one *turn) {
	if one.tryTake() {
		return
	}
	q := t.waiting()
	q.mu.Lock()
	if one.state.Swap(turnContended) == turnFree {
		q.mu.Unlock()
		return
	}
	w := &turnWaiter{turn: one, yours: make(chan struct{})}
	last := &q.first
	for *last != nil {
		last = &(*last).next
	}
	*last = w
	q.mu.Unlock()
	<-w.yours
}

func (t *turns) waiting() *turnQueue {
	if q := t.queue.Load(); q != nil {
		return q
	}
	t.queue.CompareAndSwap(nil, new(turnQueue))
	return t.queue.Load()
}

// tryTake takes the turn if it is free.
func (one *turn) tryTake() bool { return one.state.CompareAndSwap(turnFree, turnTaken) }

// give passes a turn on.
func (t *turns) give(one *turn) {
	if one.state.CompareAndSwap(turnTaken, turnFree) {
		return
	}
	q := t.waiting()
	q.mu.Lock()
	defer q.mu.Unlock()
	for at := &q.first; *at != nil; at = &(*at).next {
		if w := *at; w.turn == one {
			*at = w.next
			close(w.yours)
			return
		}
	}
	one.state.Store(turnFree)
}
