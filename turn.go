package yodel

import (
	"sync"
	"sync/atomic"
)

// turn is a lock for what may wait long, such as sending under flow control.
// Unlike a mutex, a goroutine that waits for its turn counts as blocked for
// testing/synctest. The zero value is free.
type turn struct {
	state atomic.Int32
	queue atomic.Pointer[turnQueue] // made by the first who waits
}

// turnQueue is who waits for a turn.
type turnQueue struct {
	mu sync.Mutex
	// first is who gets the turn next.
	first *turnWaiter
}

// The states of a turn. One that is contended may have waiters.
const (
	turnFree int32 = iota
	turnTaken
	turnContended
)

type turnWaiter struct {
	// yours is closed to hand the turn over.
	yours chan struct{}
	next  *turnWaiter
}

// take waits for the turn.
func (t *turn) take() {
	if t.tryTake() {
		return
	}
	q := t.waiting()
	q.mu.Lock()
	if t.state.Swap(turnContended) == turnFree {
		q.mu.Unlock()
		return
	}
	w := &turnWaiter{yours: make(chan struct{})}
	last := &q.first
	for *last != nil {
		last = &(*last).next
	}
	*last = w
	q.mu.Unlock()
	<-w.yours
}

func (t *turn) waiting() *turnQueue {
	if q := t.queue.Load(); q != nil {
		return q
	}
	t.queue.CompareAndSwap(nil, new(turnQueue))
	return t.queue.Load()
}

// tryTake takes the turn if it is free.
func (t *turn) tryTake() bool { return t.state.CompareAndSwap(turnFree, turnTaken) }

// give passes the turn on.
func (t *turn) give() {
	if t.state.CompareAndSwap(turnTaken, turnFree) {
		return
	}
	q := t.waiting()
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.first
	if w == nil {
		t.state.Store(turnFree)
		return
	}
	q.first = w.next
	close(w.yours)
}
