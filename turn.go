package yodel

import (
	"sync"
	"sync/atomic"
)

// turn is a lock for what may wait long, such as sending under flow control.
// Unlike a mutex, a goroutine that waits for its turn counts as blocked for
// testing/synctest. The zero value is free.
type turn struct {
	// queue is nil while the turn is free, and noQueue while it is taken and nobody
	// waits for it.
	queue atomic.Pointer[turnQueue]
}

// turnQueue is who waits for a turn: somebody, as long as it is the turn's.
type turnQueue struct {
	mu sync.Mutex
	// first is who gets the turn next.
	first *turnWaiter
}

var noQueue = new(turnQueue)

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
	w := &turnWaiter{yours: make(chan struct{})}
	for !t.enqueue(w) {
		if t.tryTake() {
			return
		}
	}
	<-w.yours
}

// tryTake takes the turn if it is free.
func (t *turn) tryTake() bool { return t.queue.CompareAndSwap(nil, noQueue) }

// enqueue has w wait. It reports false if the turn has changed hands meanwhile.
func (t *turn) enqueue(w *turnWaiter) bool {
	q := t.queue.Load()
	switch q {
	case nil:
		return false
	case noQueue:
		return t.queue.CompareAndSwap(noQueue, &turnQueue{first: w})
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.queue.Load() != q {
		return false
	}
	last := &q.first
	for *last != nil {
		last = &(*last).next
	}
	*last = w
	return true
}

// give passes the turn on.
func (t *turn) give() {
	if t.queue.CompareAndSwap(noQueue, nil) {
		return
	}
	q := t.queue.Load()
	q.mu.Lock()
	w := q.first
	if q.first = w.next; q.first == nil {
		t.queue.Store(noQueue)
	}
	q.mu.Unlock()
	close(w.yours)
}
