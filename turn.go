package yodel

import "sync"

// turn is a lock for what may wait long, such as sending under flow control.
// Unlike a mutex, a goroutine that waits for its turn counts as blocked for
// testing/synctest. The zero value is free.
type turn struct {
	mu    sync.Mutex
	taken bool
	// first is who gets the turn next.
	first *turnWaiter
}

type turnWaiter struct {
	// yours is closed to hand the turn over.
	yours chan struct{}
	next  *turnWaiter
}

// take waits for the turn.
func (t *turn) take() {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return
	}
	w := &turnWaiter{yours: make(chan struct{})}
	last := &t.first
	for *last != nil {
		last = &(*last).next
	}
	*last = w
	t.mu.Unlock()
	<-w.yours
}

// tryTake takes the turn if it is free.
func (t *turn) tryTake() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	free := !t.taken
	t.taken = true
	return free
}

// give passes the turn on.
func (t *turn) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.first
	if w == nil {
		t.taken = false
		return
	}
	t.first = w.next
	close(w.yours)
}
